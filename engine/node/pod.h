#ifndef TFL_NODE_POD_H
#define TFL_NODE_POD_H

#include "base/error.h"

/* What tfl needs inside the pods of a cluster, where an image made FROM scratch has neither kill nor rm. */

/* Sends a signal ("KILL") to every other process of this pod, but not to the one that holds the pod. TFL_E_USAGE: no such signal, or no
 * pod of tfl (TFL_POD is not in the environment). */
int tfl_pod_signal(const char *name, struct tfl_error *err);

/* Waits for SIGTERM, then removes the folder and all in it, again and again until nothing came back for some seconds: those who
 * write into it are about to end, too. TFL_E_USAGE, TFL_E_IO. */
int tfl_pod_sweep(const char *folder, struct tfl_error *err);

#endif
