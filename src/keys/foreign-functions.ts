import koffi from 'koffi'

/*
 * Whoever calls native functions takes koffi from here: its settings cannot be changed once a library is
 * loaded. PKCS#11 libraries are written for the stack of a thread, and the default is 128 KiB.
 */
koffi.config({ async_stack_size: 1024 * 1024 })

export { koffi }

const endProcess = koffi.load(null).func('void _exit(int status)') as unknown as (
  status: number,
) => void

/**
 * Node.js waits for its threads before it ends, and so for ever for one that hangs inside a library.
 * After this it does not wait while there are such calls.
 */
export function endDespite(callsUnderWay: () => number): void {
  process.on('exit', (status) => {
    if (callsUnderWay() > 0) endProcess(status)
  })
}
