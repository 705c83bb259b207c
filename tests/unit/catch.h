// Catch2 under one name: version 2 (single header, Debian 12) or version 3 (Debian 13).
// Use only what both offer: TEST_CASE SECTION CHECK REQUIRE INFO CAPTURE.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>
#endif
