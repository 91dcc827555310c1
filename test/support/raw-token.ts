import pkcs11 from 'pkcs11js'
import type { TestToken } from './softhsm.js'

export { pkcs11 }

/**
 * A look at the token past all of our code. The library must be in use by a custody already;
 * sharing the process, it shares that custody's login.
 */
export class RawToken {
  readonly api = new pkcs11.PKCS11()
  readonly slot: Buffer
  readonly session: Buffer

  constructor({ module, tokenLabel }: TestToken) {
    this.api.load(module)
    const slots = this.api.C_GetSlotList(true)
    const slot = slots.find((each) => this.api.C_GetTokenInfo(each).label.trimEnd() === tokenLabel)
    if (slot === undefined) throw new Error(`No token ${tokenLabel}`)
    this.slot = slot
    this.session = this.api.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
  }

  find(template: pkcs11.Template): Buffer[] {
    this.api.C_FindObjectsInit(this.session, template)
    try {
      return this.api.C_FindObjects(this.session, 100)
    } finally {
      this.api.C_FindObjectsFinal(this.session)
    }
  }

  privateKey(keyId: string): Buffer {
    const [key] = this.find([
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY },
      { type: pkcs11.CKA_ID, value: Buffer.from(keyId, 'hex') },
    ])
    if (key === undefined) throw new Error(`No key ${keyId}`)
    return key
  }

  attribute(object: Buffer, type: number): Buffer | undefined {
    return this.api.C_GetAttributeValue(this.session, object, [{ type }])[0]?.value
  }

  close(): void {
    this.api.C_CloseSession(this.session)
  }
}
