# cmake --install: the command with its task files and man page, the libraries with their headers, and a
# CMake package, so that find_package(slayer) gives slayer::surgery and the others. The component
# "python" is what a wheel holds: see pyproject.toml.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY SLAYER_MODULES)
set(targets slayer_flags)
foreach(module IN LISTS modules)
  list(APPEND targets slayer_${module})
  set_target_properties(slayer_${module} PROPERTIES EXPORT_NAME ${module})
endforeach()
foreach(target slayer_torch slayer_torch_fmt slayer_parquet)
  if(TARGET ${target})
    list(APPEND targets ${target})
  endif()
endforeach()
install(TARGETS ${targets} EXPORT slayerTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY slayer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
  FILES_MATCHING PATTERN "*.h")

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/slayer")
install(EXPORT slayerTargets NAMESPACE slayer:: DESTINATION "${package}" COMPONENT library)
configure_package_config_file(cmake/slayerConfig.cmake.in "${CMAKE_BINARY_DIR}/slayerConfig.cmake"
  INSTALL_DESTINATION "${package}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/slayerConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/slayerConfig.cmake" "${CMAKE_BINARY_DIR}/slayerConfigVersion.cmake"
  cmake/SlayerPackages.cmake DESTINATION "${package}" COMPONENT library)

if(SLAYER_TORCH)
  # libtorch and Arrow are found where they were at the build; in a wheel, beside it.
  set(rpath "${TORCH_INSTALL_PREFIX}/lib" ${pyarrow})
  if(SKBUILD)
    set(rpath "$ORIGIN/../../torch/lib" "$ORIGIN/../../pyarrow")
  endif()
  set_target_properties(slayer PROPERTIES INSTALL_RPATH "${rpath}")
  install(TARGETS slayer slayer-confine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    COMPONENT command)
  install(DIRECTORY tasks DESTINATION share/slayer COMPONENT command)
  install(TARGETS slayer slayer-confine RUNTIME DESTINATION bin COMPONENT python EXCLUDE_FROM_ALL)
  install(DIRECTORY tasks DESTINATION share/slayer COMPONENT python EXCLUDE_FROM_ALL)
  # The man page and the completions come from the command itself.
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/printed")
  function(slayer_print file folder)
    set(output "${CMAKE_BINARY_DIR}/printed/${file}")
    add_custom_command(OUTPUT "${output}" COMMAND slayer ${ARGN} > "${output}" DEPENDS slayer VERBATIM)
    add_custom_target(print_${file} ALL DEPENDS "${output}")
    install(FILES "${output}" DESTINATION "${folder}" COMPONENT command)
  endfunction()
  slayer_print(slayer.1 "${CMAKE_INSTALL_MANDIR}/man1" manual)
  slayer_print(slayer share/bash-completion/completions completion bash)
  slayer_print(_slayer share/zsh/site-functions completion zsh)
  slayer_print(slayer.fish share/fish/vendor_completions.d completion fish)
endif()
