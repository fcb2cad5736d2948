#ifndef TFL_PROC_HOLDER_H
#define TFL_PROC_HOLDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Who has a socket open, as /proc says. */
struct tfl_process_id {
    pid_t pid;
    uint64_t start_time; /* of tfl_procfs_start_time; another than that of pid now: the process is gone */
};

/* Which of these processes, or (less likely, asked after all of them) of the members of their groups and their descendants, has
 * the socket with this inode open: its place; n: none of them. Looks at the descriptors of no other process. */
size_t tfl_socket_holder(const struct tfl_process_id *ids, size_t n, uint64_t inode);

#endif
