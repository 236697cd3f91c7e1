# {fmt}, headers only: ui/text.hpp checks and formats with it; no library to link or to ship.
find_package(fmt QUIET)
if(fmt_FOUND)
  target_link_libraries(lattice_ui PUBLIC fmt::fmt-header-only)
elseif(LATTICE_TESTS OR LATTICE_EXAMPLES)
  message(FATAL_ERROR "{fmt} was not found: install libfmt-dev, or configure with "
                      "-DLATTICE_TESTS=OFF -DLATTICE_EXAMPLES=OFF")
endif()
