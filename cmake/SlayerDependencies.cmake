# System packages first: libtorch comes last, since its config adds flags of its own.
include(SlayerPackages)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)  # For slayer-confine alone.
find_package(CLI11 REQUIRED)
if(SLAYER_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# Where the wheels of torch and pyarrow lie: scripts/bootstrap's .venv, or what pip builds with.
set(SLAYER_SITE_PACKAGES "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages")
if(SKBUILD)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND "${Python_EXECUTABLE}" -c
      "import importlib.util as u; print(next(iter(u.find_spec('torch').submodule_search_locations)) + '/..')"
    OUTPUT_VARIABLE SLAYER_SITE_PACKAGES OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

if(SLAYER_PARQUET)
  # Arrow's C++ libraries inside the pyarrow wheel, which names them by version only.
  file(GLOB pyarrow "${SLAYER_SITE_PACKAGES}/pyarrow")
  file(GLOB arrow_library "${pyarrow}/libarrow.so.*")
  file(GLOB parquet_library "${pyarrow}/libparquet.so.*")
  if(arrow_library AND parquet_library)
    set(SLAYER_PARQUET_FOUND TRUE)
    add_library(slayer_parquet INTERFACE)
    target_include_directories(slayer_parquet SYSTEM INTERFACE
      "$<BUILD_INTERFACE:${pyarrow}/include>")
    target_link_libraries(slayer_parquet INTERFACE "${parquet_library}" "${arrow_library}")
    message(STATUS "Parquet: ${parquet_library}")
  else()
    message(STATUS "Parquet: no pyarrow in .venv; slayer will not read .parquet data")
  endif()
endif()

if(SLAYER_TORCH)
  # A libtorch under CMAKE_PREFIX_PATH (CUDA builds among them), else the wheel in .venv: hints come
  # after that path and before the system's folders.
  file(GLOB venv_torch "${SLAYER_SITE_PACKAGES}/torch")
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # It warns of parts that only static builds have.
  find_package(Torch QUIET CONFIG HINTS ${venv_torch})
  unset(CMAKE_MESSAGE_LOG_LEVEL)
  if(NOT Torch_FOUND)
    message(FATAL_ERROR "libtorch not found: run scripts/bootstrap, or pass -DCMAKE_PREFIX_PATH=/path/to/libtorch")
  endif()
  add_library(slayer_torch INTERFACE)
  target_include_directories(slayer_torch SYSTEM INTERFACE
    "$<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>")
  target_link_libraries(slayer_torch INTERFACE ${TORCH_LIBRARIES})
  # at::parallel_for is a template: compiled without OpenMP it runs on one thread. The runtime is the one
  # libtorch brings, as a second one would be a second pool of threads.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    file(GLOB openmp_library "${TORCH_INSTALL_PREFIX}/lib/libgomp*.so*")
    if(NOT openmp_library)
      set(openmp_library -fopenmp)
    endif()
    target_compile_options(slayer_torch INTERFACE -fopenmp)
    target_link_libraries(slayer_torch INTERFACE ${openmp_library})
  endif()
  # libtorch's headers bring a newer fmt than the system's library; their namespaces differ, so the
  # two never meet. Of another version than the known one, the headers alone are used: slow to compile.
  set(fmt_version 0)
  if(EXISTS "${TORCH_INSTALL_PREFIX}/include/fmt/base.h")
    file(STRINGS "${TORCH_INSTALL_PREFIX}/include/fmt/base.h" fmt_version REGEX "define FMT_VERSION")
  endif()
  if(fmt_version MATCHES "FMT_VERSION 12[0-9][0-9][0-9][0-9]$")
    add_library(slayer_torch_fmt STATIC cmake/torch_fmt.cpp)
    target_include_directories(slayer_torch_fmt SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
    target_link_libraries(slayer_torch INTERFACE slayer_torch_fmt)
  else()
    target_compile_definitions(slayer_torch INTERFACE FMT_HEADER_ONLY)
  endif()
  message(STATUS "libtorch ${Torch_VERSION}: ${TORCH_INSTALL_PREFIX}")
endif()

# Owners of the precompiled headers: for modules, for tests, and for what uses ATen. What fmt and
# spdlog define must be the same here as in the targets that reuse the header.
function(slayer_precompiled_header owner)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES" ${ARGN})
  # Written only where it is not there: another date would have everything compiled again.
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/${owner}.cpp" CONTENT "// Owns a precompiled header.\n")
  add_library(${owner} OBJECT "${CMAKE_BINARY_DIR}/${owner}.cpp")
  target_link_libraries(${owner} PRIVATE slayer_flags fmt::fmt spdlog::spdlog ${ARG_LIBRARIES})
  target_precompile_headers(${owner} PRIVATE
    <fmt/format.h> <nlohmann/json.hpp> <algorithm> <cstdint> <filesystem> <map> <memory> <optional>
    <span> <string> <string_view> <vector> ${ARG_HEADERS})
endfunction()

slayer_precompiled_header(slayer_pch)
if(SLAYER_TESTS)
  slayer_precompiled_header(slayer_test_pch HEADERS <gtest/gtest.h> LIBRARIES GTest::gtest)
endif()
if(SLAYER_TORCH)
  slayer_precompiled_header(slayer_torch_pch
    HEADERS <ATen/ATen.h> <c10/core/InferenceMode.h>
    LIBRARIES slayer_torch)
endif()
