#ifndef TFL_PROC_PROCFS_H
#define TFL_PROC_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc says about processes; for telling a process from a later one with the same pid. */

/* When it started, in clock ticks since boot: pid and start time together name one process for ever. 0: none such. */
uint64_t tfl_procfs_start_time(pid_t pid);
/* 'R' runs, 'S' sleeps, 'D' waits for a device, 'T' stopped, 't' traced, 'Z' ended and not reaped, 0: none such. */
char tfl_procfs_state(pid_t pid);

struct tfl_procfs_kin {
    pid_t pid, parent, group;
};
/* False: none such. */
bool tfl_procfs_kin(pid_t pid, struct tfl_procfs_kin *kin);

struct tfl_procfs_load {
    uint64_t ran_ns,
        waited_ns; /* so far: on a processor, and ready for one without getting it (once it has got one) */
    bool ready;    /* now: a thread is ready, or waits for a device */
};
/* Of all threads of a process and of its children (of 256 threads at most). False: none such, or the kernel does not tell. */
bool tfl_procfs_load(pid_t pid, struct tfl_procfs_load *load);

/* Sends SIGKILL to the process with this pid and start time. True when it is there still (an ended one that nobody has
 * reaped is gone), false when it is gone. Never hits a later process with the same pid. */
bool tfl_procfs_kill(pid_t pid, uint64_t start_time);
/* Sends SIGKILL to every process of this user, but the caller, whose environment at its start had exactly this
 * "KEY=value". Returns how many there were: call again until 0, as they may have been making children. */
int tfl_procfs_kill_env(const char *assignment);

#endif
