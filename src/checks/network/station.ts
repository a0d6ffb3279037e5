import { sh } from '../../base/quote.ts';

/**
 * Shell text that listens and probes until its standard input ends, and 30 s at most; nothing of it stays on the host. It takes lines:
 *
 *     listen tcp PORT | listen udp PORT      -> deaf tcp PORT REASON, where that is not possible; nothing where it is
 *     ready                                  -> ready
 *     tcp ID ADDRESS PORT | udp ID ADDRESS PORT SIZE, then go
 *                                            -> ok ID | failed ID REASON; at the end: sent
 *
 * A TCP port that somebody listens on needs no second listener. Datagrams carry the run's token and their ID, and their receiver prints
 * `got ID`: an answer could pass where the datagram of another connection would not. Where a port belongs to a daemon or to the kernel (vxlan), a raw
 * socket sees what has passed the host's firewall; the datagrams are none to VXLAN (its first byte has bit 3 set) or WireGuard, and are dropped there.
 * They are sent three times, with the don't-fragment bit and whatever path MTU was cached.
 *
 * Debian and SUSE always have perl, RHEL has a python of its own; where neither is, it prints `none`.
 */
export function stationScript({ address, token }: { address: string; token: string }): string {
  return sh`
if perl -MSocket -MPOSIX -MFcntl -MErrno -e 1 </dev/null 2>/dev/null; then exec perl -e ${perl} ${token} ${address}; fi
for s_p in python3 /usr/libexec/platform-python; do
  if $s_p -c 'import socket, select' </dev/null 2>/dev/null; then exec $s_p -c ${python} ${token} ${address}; fi
done
echo none
`;
}

/** Connections that are tried at the same time; a descriptor set holds 1024. */
const AT_ONCE = 500;

const perl = String.raw`
use strict; use Socket; use POSIX (); use Fcntl; use Errno;
$| = 1; alarm 30;
my ($token, $own) = @ARGV;
my $hz = POSIX::sysconf(POSIX::_SC_CLK_TCK());
sub now { return (POSIX::times())[0] / $hz }
my (%in, %out, %raw, %seen, @queue, @grams, $sender);
my ($input, $rounds, $next, $going) = ("", 0, 0, 0);
$in{0} = ["input", \*STDIN];
sub nonblocking { fcntl($_[0], F_SETFL, fcntl($_[0], F_GETFL, 0) | O_NONBLOCK) }
sub udp_socket {
  socket(my $s, PF_INET, SOCK_DGRAM, 0) or return;
  setsockopt($s, SOL_SOCKET, 33, pack("i", 4194304));
  nonblocking($s);
  bind($s, sockaddr_in($_[0], inet_aton($own))) or return;
  return $s;
}
sub listen_tcp {
  my ($port, $s) = @_;
  my $ok = socket($s, PF_INET, SOCK_STREAM, 0) && setsockopt($s, SOL_SOCKET, SO_REUSEADDR, pack("i", 1))
    && bind($s, sockaddr_in($port, inet_aton($own))) && listen($s, 1024);
  if ($ok) { nonblocking($s); $in{fileno $s} = ["tcp", $s] }
  elsif (!$!{EADDRINUSE}) { print "deaf tcp $port $!\n" }
}
sub listen_udp {
  my $port = shift;
  my $s = udp_socket($port);
  if ($s) { $in{fileno $s} = ["udp", $s]; return }
  if (!$!{EADDRINUSE}) { print "deaf udp $port $!\n"; return }
  if (!%raw) {
    my $ok = socket(my $r, PF_INET, SOCK_RAW, 17);
    if (!$ok) { print "deaf udp $port $!\n"; return }
    setsockopt($r, SOL_SOCKET, 33, pack("i", 4194304));
    nonblocking($r);
    bind($r, sockaddr_in(0, inet_aton($own)));
    $in{fileno $r} = ["raw", $r];
  }
  $raw{$port} = 1;
}
sub heard {
  my $text = shift;
  if ($text =~ /^slipway (\w+) (\d+) / && $1 eq $token && !$seen{$2}++) { print "got $2\n" }
}
sub readable {
  my ($kind, $s) = @{$_[0]};
  if ($kind eq "input") {
    my $n = sysread($s, my $part, 65536);
    exit 0 if !$n;
    $input .= $part;
    while ($input =~ s/^([^\n]*)\n//) { command(split / /, $1) }
  } elsif ($kind eq "tcp") {
    while (accept(my $c, $s)) { close $c }
  } else {
    my $n = 0;
    while ($n++ < 1000 && defined recv($s, my $data, 65535, 0)) {
      if ($kind eq "raw") {
        my $head = 4 * (ord($data) & 15);
        next if length($data) < $head + 8 || !$raw{unpack "n", substr($data, $head + 2, 2)};
        $data = substr($data, $head + 8, 100);
      }
      heard(substr($data, 0, 100));
    }
  }
}
sub command {
  my ($what, @words) = @_;
  if ($what eq "listen") { $words[0] eq "tcp" ? listen_tcp($words[1]) : listen_udp($words[1]) }
  elsif ($what eq "ready") { print "ready\n" }
  elsif ($what eq "tcp") { push @queue, [@words] }
  elsif ($what eq "udp") { push @grams, [@words] }
  elsif ($what eq "go") {
    if (@grams && !$sender) {
      $sender = udp_socket(0);
      setsockopt($sender, 0, 10, pack("i", 3)) if $sender;
    }
    ($going, $rounds, $next) = (1, @grams ? 3 : 0, now());
  }
}
sub finish {
  my ($id, $error) = @_;
  print $error ? "failed $id " . do { local $! = $error; "$!" } . "\n" : "ok $id\n";
}
sub dial {
  my ($id, $address, $port) = @_;
  if (!socket(my $s, PF_INET, SOCK_STREAM, 0)) { finish($id, $! + 0) }
  else {
    nonblocking($s);
    setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0));
    if (connect($s, sockaddr_in($port, inet_aton($address)))) { finish($id, 0) }
    elsif ($!{EINPROGRESS}) { $out{fileno $s} = [$id, $s, now() + 2] }
    else { finish($id, $! + 0) }
  }
}
sub shoot {
  for my $gram (@grams) {
    my ($id, $address, $port, $size, $told) = @$gram;
    my $text = "slipway $token $id ";
    $text .= "x" x ($size - 28 - length $text) if $size - 28 > length $text;
    next if $sender && defined send($sender, $text, 0, sockaddr_in($port, inet_aton($address)));
    next if $told || $!{EAGAIN} || $!{ENOBUFS};
    $gram->[4] = 1;
    finish($id, $! + 0);
  }
}
while (1) {
  while (@queue && $going && keys(%out) < ${String(AT_ONCE)}) { dial(@{shift @queue}) }
  if ($rounds && now() >= $next) { shoot(); $rounds--; $next = now() + 0.25 }
  if ($going && !@queue && !%out && !$rounds) { print "sent\n"; $going = 0; @grams = () }
  my ($r, $w) = ("", "");
  vec($r, $_, 1) = 1 for keys %in;
  vec($w, $_, 1) = 1 for keys %out;
  select($r, $w, undef, $going ? 0.05 : undef);
  for my $fd (keys %out) {
    my ($id, $s, $until) = @{$out{$fd}};
    if (vec($w, $fd, 1)) { finish($id, unpack "i", getsockopt($s, SOL_SOCKET, SO_ERROR)) }
    elsif (now() >= $until) { finish($id, POSIX::ETIMEDOUT()) }
    else { next }
    delete $out{$fd};
    close $s;
  }
  for my $fd (keys %in) { readable($in{$fd}) if vec($r, $fd, 1) }
}
`;

const python = String.raw`
import errno, os, select, signal, socket, struct, sys, time
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.alarm(30)
token, own = sys.argv[1], sys.argv[2]
readers, calls, raw, seen, queue, grams = {}, {}, set(), set(), [], []
state = {'input': b'', 'rounds': 0, 'next': 0, 'going': False, 'sender': None}

def say(text):
    os.write(1, (text + '\n').encode())

def finish(ident, error):
    say('failed %s %s' % (ident, os.strerror(error)) if error else 'ok ' + ident)

def udp_socket(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, 33, 4194304)
    except OSError:
        pass
    s.setblocking(False)
    try:
        s.bind((own, port))
    except OSError:
        s.close()
        raise
    return s

def listen_tcp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((own, port))
        s.listen(1024)
    except OSError as e:
        s.close()
        if e.errno != errno.EADDRINUSE:
            say('deaf tcp %d %s' % (port, e.strerror))
        return
    s.setblocking(False)
    readers[s] = 'tcp'

def listen_udp(port):
    try:
        readers[udp_socket(port)] = 'udp'
        return
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            say('deaf udp %d %s' % (port, e.strerror))
            return
    try:
        if not raw:
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
            s.setsockopt(socket.SOL_SOCKET, 33, 4194304)
            s.setblocking(False)
            s.bind((own, 0))
            readers[s] = 'raw'
        raw.add(port)
    except OSError as e:
        say('deaf udp %d %s' % (port, e.strerror))

def command(words):
    what = words[0]
    if what == 'listen':
        (listen_tcp if words[1] == 'tcp' else listen_udp)(int(words[2]))
    elif what == 'ready':
        say('ready')
    elif what == 'tcp':
        queue.append(words[1:])
    elif what == 'udp':
        grams.append(words[1:] + [False])
    elif what == 'go':
        state.update(going=True, rounds=3 if grams else 0, next=time.monotonic())
        if grams and state['sender'] is None:
            state['sender'] = udp_socket(0)
            state['sender'].setsockopt(0, 10, 3)

def heard(data):
    words = data[:100].split(b' ')
    if len(words) > 2 and words[0] == b'slipway' and words[1] == token.encode() and words[2].isdigit() and words[2] not in seen:
        seen.add(words[2])
        say('got ' + words[2].decode())

def readable(s):
    kind = readers[s]
    if kind == 'input':
        part = os.read(0, 65536)
        if not part:
            sys.exit(0)
        *lines, state['input'] = (state['input'] + part).split(b'\n')
        for line in lines:
            command(line.decode().split(' '))
        return
    for _ in range(1000):
        try:
            if kind == 'tcp':
                s.accept()[0].close()
                continue
            data = s.recv(65535)
        except OSError:
            return
        if kind == 'raw':
            head = 4 * (data[0] & 15)
            if len(data) < head + 8 or struct.unpack('!H', data[head + 2:head + 4])[0] not in raw:
                continue
            data = data[head + 8:]
        heard(data)

def dial(ident, address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    error = s.connect_ex((address, int(port)))
    if error == errno.EINPROGRESS:
        calls[s] = (ident, time.monotonic() + 2)
        return
    s.close()
    finish(ident, error)

def shoot():
    for gram in grams:
        ident, address, port, size, told = gram
        text = ('slipway %s %s ' % (token, ident)).encode()
        try:
            state['sender'].sendto(text.ljust(int(size) - 28, b'x'), (address, int(port)))
        except OSError as e:
            if not told and e.errno not in (errno.EAGAIN, errno.ENOBUFS):
                gram[4] = True
                finish(ident, e.errno)

readers[sys.stdin] = 'input'
while True:
    while queue and state['going'] and len(calls) < ${String(AT_ONCE)}:
        dial(*queue.pop(0))
    if state['rounds'] and time.monotonic() >= state['next']:
        shoot()
        state['rounds'] -= 1
        state['next'] = time.monotonic() + 0.25
    if state['going'] and not queue and not calls and not state['rounds']:
        say('sent')
        state['going'] = False
        del grams[:]
    r, w, _ = select.select(list(readers), list(calls), [], 0.05 if state['going'] else None)
    for s in list(calls):
        ident, until = calls[s]
        if s in w:
            finish(ident, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        elif time.monotonic() >= until:
            finish(ident, errno.ETIMEDOUT)
        else:
            continue
        del calls[s]
        s.close()
    for s in r:
        readable(s)
`;
