# slayer_module(NAME SOURCES ... USES <modules> LIBRARIES <targets> [TORCH] [COLD])
#
# One folder under slayer/ is one static library, slayer::NAME, that links only the modules and
# libraries it names: the layers of docs/map.md are enforced here and by tests/unit/layers_test.
function(slayer_module name)
  cmake_parse_arguments(ARG "TORCH;COLD" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(slayer_${name} STATIC ${ARG_SOURCES})
  add_library(slayer::${name} ALIAS slayer_${name})
  target_include_directories(slayer_${name} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>" "$<INSTALL_INTERFACE:include>")
  set_property(GLOBAL APPEND PROPERTY SLAYER_MODULES ${name})
  target_link_libraries(slayer_${name} PRIVATE slayer_flags)
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(slayer_${name} PUBLIC slayer::${used})
  endforeach()
  target_link_libraries(slayer_${name} PUBLIC ${ARG_LIBRARIES})
  if(ARG_COLD)
    # No loop here is hot, and optimising the templates of JSON takes a third of the build.
    target_compile_options(slayer_${name} PRIVATE -O1)
  endif()
  if(ARG_TORCH)
    slayer_use_torch(slayer_${name})
  else()
    slayer_reuse_header(slayer_${name} slayer_pch)
  endif()
endfunction()

# Takes a shared precompiled header.
function(slayer_reuse_header target owner)
  target_precompile_headers(${target} REUSE_FROM ${owner})
  # After CMake's own -fPIE of executables: the header was compiled with -fPIC.
  target_compile_options(${target} PRIVATE -fPIC)
endfunction()

# Links libtorch and takes the shared precompiled header of ATen.
function(slayer_use_torch target)
  target_link_libraries(${target} PUBLIC slayer_torch)
  slayer_reuse_header(${target} slayer_torch_pch)
endfunction()
