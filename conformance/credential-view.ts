import { X509Certificate } from 'node:crypto'
import {
  HASHES,
  PSS_PARAMETERS,
  RSA_KEY,
  RSA_PSS,
  SIGNATURES,
  type Algorithm,
  type Hash,
} from './algorithms.js'
import { objectOf, stringsOf, type Json } from './exchange.js'

/** A credential of a signer as the server describes it, whatever the version of the API. */
export interface KnownCredential {
  readonly id: string
  /** Index in the configuration's `signers`. */
  readonly signer: number
  readonly mode: string
  readonly SCAL: string
  readonly multisign: number
  readonly enabled: boolean
  readonly algos: readonly string[]
  readonly kind: 'ec' | 'rsa' | 'other'
  readonly certificates: readonly X509Certificate[]
  /** Ids of `auth.objects` with their types; in v1 `PIN` and `OTP`. */
  readonly objects: readonly { readonly id: string; readonly type: string }[]
  readonly expression: string
  readonly raw: Json
}

export function readCredential(id: string, signer: number, raw: Json): KnownCredential {
  const key = objectOf(raw, 'key')
  const cert = objectOf(raw, 'cert')
  const auth = typeof raw['auth'] === 'object' ? (raw['auth'] as Json) : null
  const certificates = Array.isArray(cert['certificates'])
    ? stringsOf(cert, 'certificates').map((der) => new X509Certificate(Buffer.from(der, 'base64')))
    : []
  const type = certificates[0]?.publicKey.asymmetricKeyType
  return {
    ...{ id, signer, raw, certificates },
    mode: textOf(auth?.['mode'] ?? raw['authMode'], ''),
    SCAL: textOf(raw['SCAL'], '1'),
    // In v0 a boolean: several, how many is not told.
    multisign: raw['multisign'] === true ? 2 : Number(raw['multisign'] ?? 1),
    enabled: key['status'] === 'enabled',
    algos: stringsOf(key, 'algo'),
    kind: type === 'ec' ? 'ec' : type === 'rsa' ? 'rsa' : 'other',
    objects: auth ? objectsOf(auth) : flatObjects(raw),
    expression: textOf(auth?.['expression'], ''),
  }
}

function objectsOf({ objects }: Json) {
  if (!Array.isArray(objects)) return []
  return (objects as Json[]).map(({ id, type }) => ({ id: textOf(id, ''), type: textOf(type, '') }))
}

/** v1 has at most a PIN and an OTP, each with a presence in words (CSC v1.0.4.0 §11.4). */
function flatObjects(raw: Json) {
  return (['PIN', 'OTP'] as const).flatMap((id) => {
    const object = raw[id] as Json | undefined
    if (!object || object['presence'] === 'false') return []
    const online = id === 'OTP' && object['type'] === 'online'
    return [{ id, type: online ? 'ChallengeResponse' : 'Password' }]
  })
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

/** A way the credential says it can sign, with the hash it takes. */
export interface Choice {
  readonly algorithm: Algorithm
  readonly hash: Hash
}

/** Every way in `key.algo` that can be tried, the plain ones first. */
export function choicesOf({ algos }: KnownCredential): Choice[] {
  return algos.flatMap((signAlgo): Choice[] => {
    const known = SIGNATURES[signAlgo]
    if (known) return [{ algorithm: { signAlgo }, hash: known.hash }]
    if (signAlgo === RSA_PSS) {
      return HASHES.map((hash) => ({
        algorithm: {
          signAlgo,
          signAlgoParams: PSS_PARAMETERS[hash.name],
          hashAlgorithmOID: hash.oid,
        },
        hash,
      }))
    }
    if (signAlgo !== RSA_KEY) return []
    return HASHES.map((hash) => ({ algorithm: { signAlgo, hashAlgorithmOID: hash.oid }, hash }))
  })
}
