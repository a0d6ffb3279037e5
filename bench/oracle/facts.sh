# What the configuration depends on, as shell assignments.
echo "name=$(hostname | tr A-Z a-z)"
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  echo 'cgroup_driver=systemd systemd_cgroup=true fail_cgroup_v1=true'
else
  echo 'cgroup_driver=cgroupfs systemd_cgroup=false fail_cgroup_v1=false'
fi
if (echo -1 >/proc/self/oom_score_adj) 2>/dev/null; then echo restrict_oom=false; else echo restrict_oom=true; fi
f=/proc/sys/net/netfilter/nf_conntrack_max
if [ ! -e $f ] || (cat $f >/run/conntrack-max && cat /run/conntrack-max >$f) 2>/dev/null; then echo conntrack_writable=true; else echo conntrack_writable=false; fi
if grep -q '^nameserver 127\.0\.0\.53' /etc/resolv.conf 2>/dev/null; then echo resolv_conf=/run/systemd/resolve/resolv.conf; else echo resolv_conf=/etc/resolv.conf; fi
