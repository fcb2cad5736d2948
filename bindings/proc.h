#ifndef TFL_BINDINGS_PROC_H
#define TFL_BINDINGS_PROC_H

#include "proc/ledger.h"

/* What other bindings need of the run that is guarded now. */
struct tfl_ledger **tfl_proc_ledger(
    void); /* where its ledger stands; NULL in it between runs; valid for ever */

#endif
