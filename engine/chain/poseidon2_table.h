#ifndef TFL_CHAIN_POSEIDON2_TABLE_H
#define TFL_CHAIN_POSEIDON2_TABLE_H

#include <stdint.h>

/* Round constants: 8 external rounds of three (the first four rounds open, the last four close), then 56 internal ones. */
#define TFL_POSEIDON2_EXTERNAL 8
#define TFL_POSEIDON2_INTERNAL 56
#define TFL_POSEIDON2_CONSTANTS (3 * TFL_POSEIDON2_EXTERNAL + TFL_POSEIDON2_INTERNAL)

extern const uint64_t tfl_poseidon2_table[TFL_POSEIDON2_CONSTANTS][4];

#endif
