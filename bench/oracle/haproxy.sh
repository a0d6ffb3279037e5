# The distribution's HAProxy, without letting its own service start: from packages that were sent along, else from the mirror.
set -eu
if [ ! -x /usr/sbin/haproxy ]; then
  ln -sfn /dev/null /etc/systemd/system/haproxy.service
  # Offline: the package's scripts would reload systemd twice while it starts our units.
  export DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1
  exec >/run/oracle.haproxy.log 2>&1
  get() { apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io haproxy </dev/null; }
  if [ "$packages" = yes ]; then
    mkdir -p /run/oracle.packages
    tar -C /run/oracle.packages -xf -
    dpkg --force-unsafe-io -i /run/oracle.packages/*.deb
  else
    get || { apt-get update -qq && get; }
  fi
fi
mkdir -p /run/oracle
: >/run/oracle/haproxy
