#ifndef TFL_NET_REACH_H
#define TFL_NET_REACH_H

#include "loop/op.h"
#include "net/addr.h"

/* Does somebody accept TCP connections there? Succeeds when one was made (it is closed again at once); fails with TFL_E_TIMEOUT
 * after timeout_ms of tries, naming the address and why the last one failed. */
struct tfl_op *tfl_reach(struct tfl_loop *loop, const struct tfl_addr *addr, int64_t timeout_ms);

#endif
