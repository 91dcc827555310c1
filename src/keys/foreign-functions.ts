import koffi from 'koffi'

/*
 * Whoever calls native functions takes koffi from here: its settings cannot be changed once a library is
 * loaded. PKCS#11 libraries are written for the stack of a thread, and the default is 128 KiB.
 */
koffi.config({ async_stack_size: 1024 * 1024 })

export { koffi }
