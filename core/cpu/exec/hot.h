// The templates that the rows of hot.inc instantiate.
#pragma once

#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/bit.h"
#include "core/cpu/exec/branch.h"
#include "core/cpu/exec/move.h"
#include "core/cpu/exec/muldiv.h"
#include "core/cpu/exec/shift.h"
#include "core/cpu/exec/stack.h"
