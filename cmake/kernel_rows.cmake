# kernel_rows.cmake - the rows of backends/kernels.def, for the scripts that write headers of them.
function(read_kernels file kernels) # the list `kernels`, a row each
  file(READ ${file} text)
  string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" text "${text}")
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  string(REGEX MATCHALL "KERNEL\\([^()]*\\([^()]*\\)\\)" rows "${text}")
  set(${kernels} "${rows}" PARENT_SCOPE)
endfunction()
macro(take_kernel kernel) # result, name, arguments, and `each` of them
  string(REGEX MATCH "KERNEL\\(([a-z0-9_]+), ([a-z0-9_]+), \\(([^()]*)\\)\\)" ok "${kernel}")
  set(result ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  set(arguments "${CMAKE_MATCH_3}")
  string(REPLACE ", " ";" each "${arguments}")
endmacro()
macro(take_argument argument) # type, and `own`, its name
  string(REGEX MATCH "^(.*[ *])([A-Za-z0-9_]+)$" ok "${argument}")
  set(type "${CMAKE_MATCH_1}")
  set(own ${CMAKE_MATCH_2})
endmacro()
