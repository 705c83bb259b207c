# The engine as a reactor module, lapwing.wasm, without Emscripten's JavaScript. Memory is imported: its declared
# minimum is the engine's fixed heap; the loader provides more, and guest RAM lies above the minimum.
math(EXPR heap_bytes "${LAPWING_HEAP_MIB} * 1048576")
math(EXPR max_bytes "${LAPWING_MAX_MEMORY_MIB} * 1048576")

file(GLOB engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/engine/*.cpp)
if(engine_sources)
  add_executable(lapwing ${engine_sources})
  set_target_properties(lapwing PROPERTIES SUFFIX .wasm)
  target_compile_options(lapwing PRIVATE -fno-exceptions)
  target_link_libraries(lapwing PRIVATE lapwing_jit lapwing_devices lapwing_core)
  target_link_options(
    lapwing PRIVATE
    -sSTANDALONE_WASM --no-entry
    -sIMPORTED_MEMORY -sALLOW_MEMORY_GROWTH
    -sINITIAL_MEMORY=${heap_bytes} -sMAXIMUM_MEMORY=${max_bytes}
    -sSTACK_SIZE=1048576 -sALLOW_TABLE_GROWTH
    -sMALLOC=dlmalloc)
endif()
