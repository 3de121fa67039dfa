/* What an archive of others brings into libisobit.so: a name that is not hidden, which names.py must not see. */
int foreign_name(void);
int foreign_name(void) { return 0; }
