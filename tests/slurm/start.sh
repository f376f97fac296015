#!/bin/sh
# Start SLURM with one node, this machine, in a folder: start.sh FOLDER. Needs root, slurmctld, slurmd and munged.
# Commands find it by SLURM_CONF=FOLDER/slurm.conf. The numbers of the daemons are in FOLDER/*.pid.
set -eu
folder=$(readlink -f "$1")
host=$(hostname -s)
mkdir -p "$folder/state" "$folder/spool"
if [ ! -e "$folder/munge.key" ]; then
    (umask 077; head -c 1024 /dev/urandom >"$folder/munge.key")
    chmod 700 "$folder"
    port=$((20000 + $$ % 20000))
    cat >"$folder/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(localhost)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=2
MinJobAge=60
NodeName=$host NodeAddr=localhost CPUs=$(nproc --all) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
fi
export SLURM_CONF="$folder/slurm.conf"
[ -e "$folder/munge.pid" ] || munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
    --pid-file="$folder/munge.pid" --log-file="$folder/munge.log" --seed-file="$folder/munge.seed"
slurmctld
slurmd -N "$host"
