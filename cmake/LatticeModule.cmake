# How a module becomes a target: lattice_module(<name> [PATH dir] [DEPENDS modules...] [EXCLUDE subdirs...]
# [TESTS_READ_SOURCES]).
#
# Globs src/lattice/<path>/**.cpp (CONFIGURE_DEPENDS, so a new file needs no edit here), builds
# lattice_<name> (alias lattice::<name>), and one executable <name>_test from the *_test.cpp files.
# A module with private needs (Boost, OpenSSL) lists them in src/lattice/<path>/module.cmake.
# TESTS_READ_SOURCES gives its tests LATTICE_SOURCE_DIR; objects of others hold no path of a clone.

macro(lattice_setup)
  set(CMAKE_CXX_STANDARD 20)
  set(CMAKE_CXX_STANDARD_REQUIRED ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(CMAKE_CXX_VISIBILITY_PRESET hidden)
  set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  find_program(LATTICE_CCACHE ccache)
  if(LATTICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${LATTICE_CCACHE})
  endif()
  find_package(Threads REQUIRED)
  if(LATTICE_SANITIZE)
    add_compile_options(-fsanitize=${LATTICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${LATTICE_SANITIZE})
  endif()
  if(LATTICE_TESTS)
    find_package(GTest REQUIRED)
    include(GoogleTest)
    enable_testing()
  endif()
endmacro()

function(lattice_module name)
  cmake_parse_arguments(ARG "TESTS_READ_SOURCES" "PATH" "DEPENDS;EXCLUDE" ${ARGN})
  if(NOT ARG_PATH)
    set(ARG_PATH ${name})
  endif()
  set(dir ${PROJECT_SOURCE_DIR}/src/lattice/${ARG_PATH})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  foreach(sub IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "^${dir}/${sub}/")
  endforeach()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")

  set(target lattice_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(lattice::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<INSTALL_INTERFACE:include>)
  foreach(dep IN LISTS ARG_DEPENDS)
    target_link_libraries(${target} ${scope} lattice::${dep})
  endforeach()
  target_link_libraries(${target} ${scope} Threads::Threads)
  if(EXISTS ${dir}/module.cmake)
    include(${dir}/module.cmake)
  endif()
  set_property(GLOBAL APPEND PROPERTY LATTICE_MODULES ${target})

  if(LATTICE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${target} GTest::gtest_main)
    target_compile_options(${name}_test PRIVATE -Wall -Wextra -Wshadow)
    if(ARG_TESTS_READ_SOURCES)
      target_compile_definitions(${name}_test PRIVATE LATTICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    endif()
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120)
    set_property(GLOBAL APPEND PROPERTY LATTICE_TESTS ${name})
  endif()
endfunction()

# After the last module: the target lattice_tests, and <build>/tests.txt with one module per line,
# from which the gate knows what there is to run.
function(lattice_finish_tests)
  get_property(tests GLOBAL PROPERTY LATTICE_TESTS)
  list(TRANSFORM tests APPEND _test OUTPUT_VARIABLE executables)
  add_custom_target(lattice_tests)
  if(executables)
    add_dependencies(lattice_tests ${executables})
  endif()
  string(REPLACE ";" "\n" lines "${tests}")
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests.txt CONTENT "${lines}\n")
endfunction()

# `cmake --install`: headers, static libraries and LatticeConfig.cmake (component "cpp"); the
# target lattice_modules builds what it copies.
function(lattice_install)
  include(GNUInstallDirs)
  include(CMakePackageConfigHelpers)
  get_property(modules GLOBAL PROPERTY LATTICE_MODULES)
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Lattice)
  add_custom_target(lattice_modules)
  foreach(module IN LISTS modules)
    get_target_property(type ${module} TYPE)
    if(NOT type STREQUAL INTERFACE_LIBRARY)
      add_dependencies(lattice_modules ${module})
    endif()
  endforeach()
  install(TARGETS ${modules} EXPORT LatticeTargets COMPONENT cpp
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT LatticeTargets NAMESPACE lattice:: DESTINATION ${package_dir} COMPONENT cpp)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/lattice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
          COMPONENT cpp FILES_MATCHING PATTERN "*.hpp" PATTERN "*_test.hpp" EXCLUDE)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/LatticeConfig.cmake.in
    ${PROJECT_BINARY_DIR}/LatticeConfig.cmake INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/LatticeConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/LatticeConfig.cmake
                ${PROJECT_BINARY_DIR}/LatticeConfigVersion.cmake
          DESTINATION ${package_dir} COMPONENT cpp)
endfunction()
