import { WRAP_VARIANTS, type WrappedBlob } from './pkcs11/session.js'
import type { GeneratedKey } from './key-custody.js'
import type { KeyOwner } from './key-id.js'

/** A wrapped key with all that is needed to unwrap it. */
export interface SealedKey {
  /** Which wrapping keys of the token. */
  readonly name: string
  readonly blob: WrappedBlob
  readonly mac: Buffer
}

const VERSION = '1'

/** Version, wrapping key, way of wrapping; then initialisation vector, blob and MAC in Base64url. */
export function formatWrapped({ name, blob, mac }: SealedKey): string {
  const bytes = [blob.iv, blob.bytes, mac].map((each) => each.toString('base64url'))
  return [VERSION, name, blob.variant, ...bytes].join('.')
}

/** Null for what we did not write. */
export function parseWrapped(text: string): SealedKey | null {
  const [version, name = '', kind, iv = '', bytes = '', mac = '', ...more] = text.split('.')
  const variant = WRAP_VARIANTS.find((each) => each === kind)
  if (version !== VERSION || variant === undefined || more.length > 0) return null
  const sealed = {
    name,
    blob: { variant, iv: Buffer.from(iv, 'base64url'), bytes: Buffer.from(bytes, 'base64url') },
    mac: Buffer.from(mac, 'base64url'),
  }
  return formatWrapped(sealed) === text ? sealed : null
}

/** What the MAC is over: everything that must not be changed, swapped or moved to another row (S86). */
export function macInput(
  { keyId, publicKey }: Pick<GeneratedKey, 'keyId' | 'publicKey'>,
  { name, blob }: Omit<SealedKey, 'mac'>,
  owner: KeyOwner | null,
): Buffer {
  const facts = [
    ...['openrssp wrapped key', VERSION, keyId, publicKey.toString('base64url')],
    ...[name, blob.variant, blob.iv.toString('base64url'), blob.bytes.toString('base64url')],
    ...(owner ? [owner.credentialId, owner.userId] : []),
  ]
  return Buffer.from(JSON.stringify(facts))
}
