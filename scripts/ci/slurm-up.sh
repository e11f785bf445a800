#!/usr/bin/env bash
# Brings up a Slurm cluster of two nodes with eight fake GPUs each on a bare Debian machine, as root and without systemd:
# `slurm-up.sh [FOLDER [PORT [KEY=VALUE...]]]`. What calls Slurm's commands names it with SLURM_CONF=FOLDER/slurm.conf.
#
# Everything of the cluster lies in FOLDER and listens on PORT to PORT + 2, so a machine holds as many as wanted; munge is
# the machine's own. Daemons that run are left alone, those that do not are started: the same call mends a cluster. Each
# KEY=VALUE is a line of slurm.conf in place of ours, in the call that makes the cluster. `slurm-down.sh FOLDER` ends it.
#
# Partition `low` is preempted and requeued by `high`, after its grace time. There is no accounting, so no sacct.
set -euo pipefail

FOLDER=$(realpath -m "${1:-/tmp/zephyr-slurm}")
PORT=${2:-26817}
shift $(($# < 2 ? $# : 2))
MUNGE=/run/munge/munge.socket.2
say() { echo "slurm-up: $*"; }

if [ "$(id -u)" != 0 ]; then
  say "starting Slurm needs root" >&2
  exit 1
fi
mkdir -p "$FOLDER"/{state,n1,n2}
chmod 755 "$FOLDER"
# one at a time, packages and munge included
exec 9>/tmp/zephyr-slurm-up.lock
flock 9

missing() { for each in "$@"; do command -v "$each" >/dev/null || return 0; done; return 1; }
# sshd is for the tests of a login node
if missing slurmctld slurmd munged sshd; then
  say "installing slurm-wlm, munge and openssh-server"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends slurm-wlm munge openssh-server >/dev/null
fi
if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
  [ -e /etc/munge/munge.key ] || /usr/sbin/mungekey --create
  chown -R munge: /etc/munge
  # the folder must be one that others may enter, and no socket may lie there
  install -d -o munge -g munge -m 755 /run/munge
  install -d -o munge -g munge -m 700 /var/lib/munge /var/log/munge
  setpriv --reuid=munge --regid=munge --clear-groups /usr/sbin/munged --force --socket="$MUNGE" 9>&-
fi

# the nodes' names lead to the nodes, as they do on a real cluster
grep -qE '[[:space:]]n1 n2$' /etc/hosts || echo '127.0.0.1 n1 n2' >>/etc/hosts

declare -A settings=(
  [ClusterName]="zephyr-$PORT"
  [SlurmctldHost]="$(hostname)(127.0.0.1)"
  [SlurmctldPort]=$PORT
  [SlurmUser]=root
  [SlurmdUser]=root
  [AuthType]=auth/munge
  # a requeued job waits this long before it starts again; two minutes unless told otherwise
  [AuthInfo]="socket=$MUNGE,cred_expire=5"
  [StateSaveLocation]="$FOLDER/state"
  [SlurmctldPidFile]="$FOLDER/slurmctld.pid"
  [SlurmctldLogFile]="$FOLDER/slurmctld.log"
  [SlurmdSpoolDir]="$FOLDER/%n"
  [SlurmdPidFile]="$FOLDER/%n.pid"
  [SlurmdLogFile]="$FOLDER/%n.log"
  # what the control groups do on a real cluster; they are not to be had in every virtual machine
  [ProctrackType]=proctrack/linuxproc
  [TaskPlugin]=task/none
  [SelectType]=select/cons_tres
  [SelectTypeParameters]=CR_Core
  [JobAcctGatherType]=jobacct_gather/none
  [AccountingStorageType]=accounting_storage/none
  [MpiDefault]=none
  [GresTypes]=gpu
  # nodes have the processors that are written here, whatever the machine has
  [SlurmdParameters]=config_overrides
  [ReturnToService]=2
  [PreemptType]=preempt/partition_prio
  [PreemptMode]=REQUEUE
  [SchedulerParameters]=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=2
)
for setting in "$@"; do settings[${setting%%=*}]=${setting#*=}; done
# a cluster keeps the settings that it began with
[ -e "$FOLDER/slurm.conf" ] || {
  for key in "${!settings[@]}"; do echo "$key=${settings[$key]}"; done | LC_ALL=C sort
  for n in 1 2; do
    echo "NodeName=n$n NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$((PORT + n)) CPUs=16 RealMemory=16000 Gres=gpu:h100:8"
  done
  echo "PartitionName=low Nodes=n[1-2] Default=YES PriorityTier=1 GraceTime=10 MaxTime=7-0"
  echo "PartitionName=high Nodes=n[1-2] PriorityTier=10 PreemptMode=OFF MaxTime=7-0"
} >"$FOLDER/slurm.conf.tmp"
[ -e "$FOLDER/slurm.conf" ] || mv "$FOLDER/slurm.conf.tmp" "$FOLDER/slurm.conf"
for gpu in 0 1 2 3 4 5 6 7; do
  [ -e "$FOLDER/gpu$gpu" ] || mknod "$FOLDER/gpu$gpu" c 1 3
done
echo "NodeName=n[1-2] Name=gpu Type=h100 File=$FOLDER/gpu[0-7]" >"$FOLDER/gres.conf"
export SLURM_CONF=$FOLDER/slurm.conf

# Starts a daemon unless the one of its pid file runs: in a session of its own, with no descriptor of ours.
daemon() {
  local pidfile=$1 runs
  shift
  # a process that ended and was not collected yet has no program any more; Debian's is named slurmd-wlm
  runs=$(readlink "/proc/$(cat "$pidfile" 2>/dev/null)/exe") || runs=
  case ${runs##*/} in "$1" | "$1"-*) return ;; esac
  setsid --fork "$@" </dev/null >>"$FOLDER/start.log" 2>&1 9>&-
}
daemon "$FOLDER/slurmctld.pid" slurmctld
daemon "$FOLDER/n1.pid" slurmd -N n1
daemon "$FOLDER/n2.pid" slurmd -N n2

limit=$((SECONDS + 90))
while [ $SECONDS -lt $limit ]; do
  states=$(timeout 5 sinfo --noheader --Node --partition low --format %T 2>/dev/null) || states=
  if [ "$(grep -cxE 'idle|mixed|allocated|completing' <<<"$states")" = 2 ]; then
    say "n1 and n2 answer; SLURM_CONF=$SLURM_CONF"
    exit 0
  fi
  # what took a node away may have been a test
  if grep -qE '^(down|drain)' <<<"$states"; then timeout 5 scontrol update nodename=n[1-2] state=resume >/dev/null 2>&1 || true; fi
  sleep 0.25
done
say "the cluster in $FOLDER did not come up; the end of its logs:" >&2
tail -n 15 "$FOLDER"/*.log >&2
exit 1
