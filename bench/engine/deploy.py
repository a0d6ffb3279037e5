from io import StringIO
from os import environ

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.operations import files, server

with open(environ["BENCH_APP_CONF"]) as file:
    text = file.read().replace("@ADDRESS@", host.name)

files.directory(name="directory", path="/srv/app", mode="750", user="root", group="root")
files.put(name="file", src=StringIO(text), dest="/srv/app/app.conf", mode="640", user="root", group="root")
files.link(name="link", path="/srv/current", target="/srv/app")
if not host.get_fact(File, path="/srv/app/state"):
    server.shell(name="command", commands=["echo ready >/srv/app/state"])
