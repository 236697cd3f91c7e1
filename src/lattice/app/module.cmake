# The browser runtime, compiled in for C++ programs (app/serve.hpp); empty when it was not built.
set(client_dist ${PROJECT_SOURCE_DIR}/client/dist)
file(GLOB client_files CONFIGURE_DEPENDS ${client_dist}/client.js ${client_dist}/client.css)
set(client_bundle ${PROJECT_BINARY_DIR}/generated/client_bundle.cpp)
add_custom_command(OUTPUT ${client_bundle}
  COMMAND ${CMAKE_COMMAND} -DDIST=${client_dist} -DOUTPUT=${client_bundle}
          -P ${PROJECT_SOURCE_DIR}/cmake/EmbedClient.cmake
  DEPENDS ${client_files} ${PROJECT_SOURCE_DIR}/cmake/EmbedClient.cmake
  COMMENT "Embedding the browser runtime" VERBATIM)
target_sources(lattice_app PRIVATE ${client_bundle})
