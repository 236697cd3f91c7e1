# AsmJit is private to jit/codegen. Without it (or with -DLATTICE_JIT=OFF) the module still builds:
# kernels then run in the tile interpreter.
option(LATTICE_JIT "Compile kernels to machine code with AsmJit where it is installed" ON)
set(lattice_jit_machine_code OFF)
if(LATTICE_JIT)
  find_package(asmjit CONFIG QUIET)
  if(TARGET asmjit::asmjit)
    set(lattice_jit_machine_code ON)
  else()
    message(STATUS "AsmJit was not found (libasmjit-dev): kernels run in the interpreter")
  endif()
endif()
set(lattice_jit_machine_code ${lattice_jit_machine_code} PARENT_SCOPE)  # for LatticeConfig.cmake

if(TARGET lattice_jit AND sources)
  # One result per operation in every tier: the compiler may not fuse what the IR keeps apart.
  target_compile_options(lattice_jit PRIVATE -ffp-contract=off)
  if(lattice_jit_machine_code)
    target_link_libraries(lattice_jit PRIVATE asmjit::asmjit)
    target_compile_definitions(lattice_jit PRIVATE LATTICE_JIT_MACHINE_CODE=1)
    # Debian's libasmjit.a is not position independent: in a shared object its one reference to
    # libc's `stderr` must meet a symbol of our own (codegen/asmjit_stderr.cpp), and none of its
    # symbols may be exported. Executables need neither.
    target_link_options(lattice_jit INTERFACE
      "$<$<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY;MODULE_LIBRARY>:-Wl,--exclude-libs,ALL;-Wl,--wrap=stderr>")
  endif()
endif()

# MPFR says to the tests what the exact value of a function is. Deferred: jit_test comes later.
if(LATTICE_TESTS AND TARGET lattice_jit AND sources)
  find_path(LATTICE_MPFR_INCLUDE mpfr.h REQUIRED)
  find_library(LATTICE_MPFR_LIBRARY mpfr REQUIRED)
  find_library(LATTICE_GMP_LIBRARY gmp REQUIRED)
  cmake_language(DEFER CALL target_link_libraries jit_test PRIVATE
    ${LATTICE_MPFR_LIBRARY} ${LATTICE_GMP_LIBRARY})
  cmake_language(DEFER CALL target_compile_options jit_test PRIVATE -ffp-contract=off)
endif()
