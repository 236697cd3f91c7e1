# Boost (Beast and Asio, headers only) and OpenSSL are private to net: no public header shows them.
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
if(TARGET lattice_net AND sources)
  target_include_directories(lattice_net SYSTEM PRIVATE ${Boost_INCLUDE_DIRS})
  target_link_libraries(lattice_net PRIVATE OpenSSL::SSL OpenSSL::Crypto)
  target_compile_definitions(lattice_net PRIVATE BOOST_ASIO_NO_DEPRECATED BOOST_ERROR_CODE_HEADER_ONLY)
endif()
if(TARGET lattice_net AND LATTICE_SANITIZE MATCHES "thread")
  # Asio's fences stand beside mutexes that TSan does see.
  target_compile_options(lattice_net PRIVATE -Wno-tsan)
endif()
if(TARGET lattice_net AND CMAKE_BUILD_TYPE STREQUAL "Release")
  # Two files of Boost's templates are a third of the Python extension at -O3; sockets, not these instructions, set their pace.
  target_compile_options(lattice_net PRIVATE -Os -ffunction-sections -fdata-sections)
endif()
