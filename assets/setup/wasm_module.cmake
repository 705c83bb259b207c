# The engine as a reactor module, lapwing.wasm, without Emscripten's JavaScript. Memory is imported: its declared
# minimum is the engine's fixed heap; the loader provides more, and guest RAM lies above the minimum.
math(EXPR heap_bytes "${LAPWING_HEAP_MIB} * 1048576")
math(EXPR max_bytes "${LAPWING_MAX_MEMORY_MIB} * 1048576")

file(GLOB engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/engine/*.cpp)
if(engine_sources)
  add_executable(lapwing ${engine_sources})
  set_target_properties(lapwing PROPERTIES SUFFIX .wasm)
  target_compile_options(lapwing PRIVATE -fno-exceptions -Os)
  target_link_libraries(lapwing PRIVATE lapwing_jit lapwing_devices lapwing_core)
  target_link_options(
    lapwing PRIVATE
    -O3 # Binaryen's -O3 makes it 5 KB smaller than its -O2, gzipped
    -sSTANDALONE_WASM --no-entry
    -sIMPORTED_MEMORY -sALLOW_MEMORY_GROWTH
    -sINITIAL_MEMORY=${heap_bytes} -sMAXIMUM_MEMORY=${max_bytes}
    -sSTACK_SIZE=1048576 -sALLOW_TABLE_GROWTH
    -sMALLOC=emmalloc)
endif()

# The processor and its translator under tests: random code in lockstep with the interpreter (tests/lockstep).
file(GLOB lockstep_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/lockstep/*.cpp)
set(differential_parts generator encoder compare guest records)
list(TRANSFORM differential_parts PREPEND ${PROJECT_SOURCE_DIR}/tests/differential/)
list(TRANSFORM differential_parts APPEND .cpp)
set(engine_parts module_host failure wasm_heap)
list(TRANSFORM engine_parts PREPEND ${PROJECT_SOURCE_DIR}/web/engine/)
list(TRANSFORM engine_parts APPEND .cpp)
if(lockstep_sources)
  add_executable(lockstep EXCLUDE_FROM_ALL ${lockstep_sources} ${differential_parts} ${engine_parts})
  set_target_properties(lockstep PROPERTIES SUFFIX .wasm)
  target_compile_options(lockstep PRIVATE -fno-exceptions)
  target_link_libraries(lockstep PRIVATE lapwing_jit lapwing_core)
  target_link_options(
    lockstep PRIVATE
    -sSTANDALONE_WASM --no-entry
    -sIMPORTED_MEMORY -sALLOW_MEMORY_GROWTH
    -sINITIAL_MEMORY=${heap_bytes} -sMAXIMUM_MEMORY=${max_bytes}
    -sSTACK_SIZE=1048576 -sALLOW_TABLE_GROWTH
    -sMALLOC=dlmalloc)
endif()
