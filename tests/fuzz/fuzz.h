/*
 * fuzz: one parser, fed with anything.
 *
 * A target defines LLVMFuzzerTestOneInput: it must return 0 and must not crash,
 * leak or take long, and it states with CSA_MUST what has to be true of the
 * result.  See local.am for how to add one.
 */

#ifndef CSA_TESTS_FUZZ_FUZZ_H
#define CSA_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
