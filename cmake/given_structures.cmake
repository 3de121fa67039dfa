# given_structures.cmake - GIVEN: the headers with the structures that kernels are given, and PARTS, of a frozen matrix's.
get_filename_component(given_root ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
set(GIVEN arithmetic/scales.h include/isobit/tensor.h backends/fault.h backends/operands.h backends/quantization.h tensor/matrix.h tensor/matrix_fields.h)
list(TRANSFORM GIVEN PREPEND ${given_root}/)
set(PARTS ${given_root}/tensor/matrix_parts.def)
