import pkcs11js from 'pkcs11js'

/** Turns an uninitialised slot into a token with this label and user PIN. Call it in a process of its own. */
export function initToken(request: {
  readonly module: string
  readonly label: string
  readonly pin: string
  readonly securityOfficerPin: string
}): void {
  const library = new pkcs11js.PKCS11()
  library.load(request.module)
  library.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  try {
    const present = findSlot(library, ({ label }) => label.trim() === request.label)
    if (present) throw new Error(`There is a token "${request.label}" already`)
    const empty = findSlot(library, ({ flags }) => (flags & pkcs11js.CKF_TOKEN_INITIALIZED) === 0)
    if (!empty) throw new Error('There is no uninitialised slot')
    // PKCS#11 wants the label filled up with blanks to 32 bytes.
    library.C_InitToken(empty, request.securityOfficerPin, request.label.padEnd(32))
    const slot = findSlot(library, ({ label }) => label.trim() === request.label)
    if (!slot) throw new Error('The token did not appear')
    const session = library.C_OpenSession(
      slot,
      pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION,
    )
    library.C_Login(session, pkcs11js.CKU_SO, request.securityOfficerPin)
    library.C_InitPIN(session, request.pin)
    library.C_Logout(session)
    library.C_CloseSession(session)
  } finally {
    library.C_Finalize()
    library.close()
  }
}

function findSlot(
  library: pkcs11js.PKCS11,
  fits: (token: pkcs11js.TokenInfo) => boolean,
): Buffer | undefined {
  return library.C_GetSlotList(true).find((slot) => fits(library.C_GetTokenInfo(slot)))
}
