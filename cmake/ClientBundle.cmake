# The browser client's bundle for the wheel: client/dist as it stands, else built with npm.

function(lattice_client_bundle result)
  set(client ${PROJECT_SOURCE_DIR}/client)
  if(NOT EXISTS ${client}/dist/client.js AND EXISTS ${client}/package.json)
    find_program(LATTICE_NPM npm)
    if(NOT LATTICE_NPM)
      message(FATAL_ERROR "client/dist/client.js is missing and npm is not installed. "
                          "Install Node.js 18 or newer with npm, then try again.")
    endif()
    foreach(arguments "ci;--no-audit;--no-fund" "run;build")
      execute_process(COMMAND ${LATTICE_NPM} ${arguments} WORKING_DIRECTORY ${client}
                      COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
  endif()
  file(GLOB files ${client}/dist/*.js ${client}/dist/*.css)
  if(NOT files)
    message(WARNING "No client bundle: pages of this package will not come alive in a browser.")
  endif()
  set(${result} ${files} PARENT_SCOPE)
endfunction()
