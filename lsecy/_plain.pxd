from lsecy._arguments cimport Call
from lsecy.kernels.table cimport Map

cdef object reduced(Call asked, scale, bint mean, bint return_sign)
cdef object mapped(Call asked, scale, Map map)
