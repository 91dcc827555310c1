import { endianness } from 'node:os'
import pkcs11 from 'pkcs11js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../algorithms.js'
import { koffi } from '../foreign-functions.js'
import type {
  KeyPairTemplate,
  Mechanism,
  OptionalAttribute,
  SecretKeyTemplate,
  UnwrapTemplate,
  WrapVariant,
} from './session.js'

export const MECHANISMS: Readonly<Record<Mechanism['kind'], number>> = {
  'rsa-pkcs': pkcs11.CKM_RSA_PKCS,
  'rsa-pkcs-pss': pkcs11.CKM_RSA_PKCS_PSS,
  ecdsa: pkcs11.CKM_ECDSA,
}

/** The best first. CBC says nothing of integrity, but nothing is unwrapped before its MAC is right. */
export const WRAP_MECHANISMS: Readonly<Record<WrapVariant, number>> = {
  'aes-kwp': 0x210b, // CKM_AES_KEY_WRAP_KWP of PKCS#11 v3; the binding has no name for it
  'aes-wrap-pad': pkcs11.CKM_AES_KEY_WRAP_PAD,
  'aes-cbc-pad': pkcs11.CKM_AES_CBC_PAD,
}

export function wrapMechanism(variant: WrapVariant, iv: Buffer): pkcs11.Mechanism {
  const mechanism = WRAP_MECHANISMS[variant]
  return variant === 'aes-cbc-pad' ? { mechanism, parameter: iv } : { mechanism }
}

/** What keys of a family may be used for; the token itself refuses everything else. */
export function allowedMechanisms(algorithm: KeyAlgorithm): readonly Mechanism['kind'][] {
  return KEY_ALGORITHMS[algorithm].family === 'rsa' ? ['rsa-pkcs', 'rsa-pkcs-pss'] : ['ecdsa']
}

export function keyPairTemplates(template: KeyPairTemplate) {
  const { algorithm, id, kind, without, wrapWithTrusted = false } = template
  const { family, bits, curveOid } = KEY_ALGORITHMS[algorithm]
  const resident = kind === 'resident'
  const common = [
    { type: pkcs11.CKA_TOKEN, value: resident },
    ...named(algorithm, id),
    { type: pkcs11.CKA_DERIVE, value: false },
  ]
  const kindOfKey =
    family === 'rsa'
      ? [
          { type: pkcs11.CKA_MODULUS_BITS, value: bits },
          { type: pkcs11.CKA_PUBLIC_EXPONENT, value: Buffer.of(1, 0, 1) },
        ]
      : [{ type: pkcs11.CKA_EC_PARAMS, value: encodeOid(curveOid ?? '') }]
  return {
    mechanism: family === 'rsa' ? pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN : pkcs11.CKM_EC_KEY_PAIR_GEN,
    publicKey: [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PUBLIC_KEY },
      ...common,
      ...kindOfKey,
      { type: pkcs11.CKA_PRIVATE, value: false },
      { type: pkcs11.CKA_VERIFY, value: true },
      { type: pkcs11.CKA_ENCRYPT, value: false },
      { type: pkcs11.CKA_WRAP, value: false },
      ...locks(without),
    ],
    privateKey: [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY },
      ...common,
      ...signingOnly(algorithm, without),
      { type: pkcs11.CKA_EXTRACTABLE, value: !resident },
      ...(wrapWithTrusted ? [{ type: pkcs11.CKA_WRAP_WITH_TRUSTED, value: true }] : []),
      ...locks(without),
    ],
  }
}

/** CKA_NSS_DB: tokens derived from NSS want the public value beside a private key. */
const CKA_NSS_DB = 0xd5a0db00

export function unwrapTemplate(template: UnwrapTemplate) {
  const { algorithm, id, without, publicValue, extractable = false } = template
  return [
    { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY },
    { type: pkcs11.CKA_TOKEN, value: false },
    ...named(algorithm, id),
    { type: pkcs11.CKA_DERIVE, value: false },
    ...signingOnly(algorithm, without),
    { type: pkcs11.CKA_EXTRACTABLE, value: extractable },
    ...(publicValue ? [{ type: CKA_NSS_DB, value: publicValue }] : []),
    ...locks(without),
  ]
}

function named(algorithm: KeyAlgorithm, id: Buffer) {
  const isRsa = KEY_ALGORITHMS[algorithm].family === 'rsa'
  return [
    { type: pkcs11.CKA_KEY_TYPE, value: isRsa ? pkcs11.CKK_RSA : pkcs11.CKK_EC },
    { type: pkcs11.CKA_ID, value: id },
    { type: pkcs11.CKA_LABEL, value: id.toString('hex') },
  ]
}

function signingOnly(algorithm: KeyAlgorithm, without: ReadonlySet<OptionalAttribute>) {
  const mechanisms = allowedMechanisms(algorithm).map((name) =>
    ulong(MECHANISMS[name], ULONG_LENGTH),
  )
  return [
    { type: pkcs11.CKA_PRIVATE, value: true },
    { type: pkcs11.CKA_SENSITIVE, value: true },
    { type: pkcs11.CKA_SIGN, value: true },
    { type: pkcs11.CKA_SIGN_RECOVER, value: false },
    { type: pkcs11.CKA_DECRYPT, value: false },
    { type: pkcs11.CKA_UNWRAP, value: false },
    ...(without.has('allowedMechanisms')
      ? []
      : [{ type: pkcs11.CKA_ALLOWED_MECHANISMS, value: Buffer.concat(mechanisms) }]),
  ]
}

/** Last, because some tokens lock the object before they have read the rest of the template. */
function locks(without: ReadonlySet<OptionalAttribute>) {
  return [
    ...(without.has('copyable') ? [] : [{ type: pkcs11.CKA_COPYABLE, value: false }]),
    ...(without.has('modifiable') ? [] : [{ type: pkcs11.CKA_MODIFIABLE, value: false }]),
  ]
}

export function secretKeyTemplate({ purpose, id, label, guarded }: SecretKeyTemplate) {
  const wraps = purpose === 'wrapping'
  const guard = wraps && guarded ? demandedOfUnwrapped() : null
  return {
    mechanism: wraps ? pkcs11.CKM_AES_KEY_GEN : pkcs11.CKM_GENERIC_SECRET_KEY_GEN,
    template: [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_KEY_TYPE, value: wraps ? pkcs11.CKK_AES : pkcs11.CKK_GENERIC_SECRET },
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_TOKEN, value: true },
      { type: pkcs11.CKA_PRIVATE, value: true },
      { type: pkcs11.CKA_ID, value: id },
      { type: pkcs11.CKA_LABEL, value: label },
      { type: pkcs11.CKA_SENSITIVE, value: true },
      { type: pkcs11.CKA_EXTRACTABLE, value: false },
      { type: pkcs11.CKA_WRAP, value: wraps },
      { type: pkcs11.CKA_UNWRAP, value: wraps },
      { type: pkcs11.CKA_ENCRYPT, value: false },
      { type: pkcs11.CKA_DECRYPT, value: false },
      { type: pkcs11.CKA_DERIVE, value: false },
      { type: pkcs11.CKA_SIGN, value: !wraps },
      { type: pkcs11.CKA_VERIFY, value: !wraps },
      ...(guard ? [guard] : []),
    ],
  }
}

/** CK_ULONG is `unsigned long`: 8 bytes everywhere but on Windows and 32-bit machines. */
const ULONG_LENGTH = process.platform === 'win32' || ['arm', 'ia32'].includes(process.arch) ? 4 : 8

export function ulong(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  if (endianness() === 'LE') bytes.writeUIntLE(value, 0, Math.min(length, 6))
  else bytes.writeUIntBE(value, Math.max(0, length - 6), Math.min(length, 6))
  return bytes
}

const TRUE = Buffer.alloc(1, 1)
const FALSE = Buffer.alloc(1, 0)

/**
 * CKA_UNWRAP_TEMPLATE of the wrapping key: the token itself refuses to unwrap anything readable,
 * extractable, lasting, or good for more than signing, whoever asks. Its value is an array of
 * attributes with pointers, which the binding cannot write; null where we do not know their layout.
 */
function demandedOfUnwrapped(): { type: number; value: Buffer } | null {
  if (ULONG_LENGTH !== 8 || endianness() !== 'LE') return null
  const demands = [
    [pkcs11.CKA_TOKEN, FALSE],
    [pkcs11.CKA_PRIVATE, TRUE],
    [pkcs11.CKA_SENSITIVE, TRUE],
    [pkcs11.CKA_EXTRACTABLE, FALSE],
    [pkcs11.CKA_DECRYPT, FALSE],
    [pkcs11.CKA_UNWRAP, FALSE],
    [pkcs11.CKA_DERIVE, FALSE],
  ] as const
  const value = Buffer.concat(
    demands.map(([type, bytes]) => {
      const attribute = Buffer.alloc(24)
      attribute.writeBigUInt64LE(BigInt(type), 0)
      attribute.writeBigUInt64LE(koffi.address(bytes), 8)
      attribute.writeBigUInt64LE(BigInt(bytes.length), 16)
      return attribute
    }),
  )
  return { type: pkcs11.CKA_UNWRAP_TEMPLATE, value }
}

/** An OBJECT IDENTIFIER, DER. */
function encodeOid(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number)
  const body = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    return septets
  })
  return Buffer.from([0x06, body.length, ...body])
}
