// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of ovnet-trace.h, and what Rust calls when one is on. */
#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "ovnet-trace.h"
