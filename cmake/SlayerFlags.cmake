# slayer_flags: what every target of the project compiles with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(SLAYER_CCACHE ccache)
if(SLAYER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers hold time stamps and defines that ccache must be told to look past; base_dir
  # lets two checkouts share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1;${SLAYER_CCACHE}")
endif()

add_library(slayer_flags INTERFACE)
target_compile_options(slayer_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -fno-math-errno)
if(SLAYER_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(slayer_flags INTERFACE -fpch-preprocess)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overlapping and overlong copies in std::string where there are none (its bug 105651);
  # read from a precompiled header the class does not count as the system's.
  target_compile_options(slayer_flags INTERFACE
    -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(SLAYER_WERROR)
  target_compile_options(slayer_flags INTERFACE -Werror)
endif()
if(SLAYER_ASSERTIONS)
  target_compile_options(slayer_flags INTERFACE -UNDEBUG)
endif()
if(SLAYER_SANITIZE)
  target_compile_options(slayer_flags INTERFACE
    -fsanitize=${SLAYER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(slayer_flags INTERFACE -fsanitize=${SLAYER_SANITIZE})
  # -O1 halves the build; GCC says itself that sanitizers make this warning speak without cause.
  target_compile_options(slayer_flags INTERFACE -O1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(slayer_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(SLAYER_FUZZ)
  target_compile_options(slayer_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
