import { constants, createHash, createVerify, verify, type X509Certificate } from 'node:crypto'
import { NotMet } from './outcome.js'

/** A hash algorithm with its OID, the name node:crypto knows, and its length in bytes. */
export interface Hash {
  readonly oid: string
  readonly name: 'sha256' | 'sha384' | 'sha512'
  readonly bytes: number
}

export const SHA256: Hash = { oid: '2.16.840.1.101.3.4.2.1', name: 'sha256', bytes: 32 }
export const SHA384: Hash = { oid: '2.16.840.1.101.3.4.2.2', name: 'sha384', bytes: 48 }
export const SHA512: Hash = { oid: '2.16.840.1.101.3.4.2.3', name: 'sha512', bytes: 64 }
export const HASHES = [SHA256, SHA384, SHA512] as const

export const RSA_KEY = '1.2.840.113549.1.1.1'
export const RSA_PSS = '1.2.840.113549.1.1.10'
export const EC_KEY = '1.2.840.10045.2.1'

type Family = 'ecdsa' | 'ecdsa-plain' | 'rsa'

/** Signature algorithms that imply their hash (CSC v2.0.0.2 §11.10, signAlgo). */
export const SIGNATURES: Readonly<Record<string, { family: Family; hash: Hash }>> = {
  '1.2.840.10045.4.3.2': { family: 'ecdsa', hash: SHA256 },
  '1.2.840.10045.4.3.3': { family: 'ecdsa', hash: SHA384 },
  '1.2.840.10045.4.3.4': { family: 'ecdsa', hash: SHA512 },
  '0.4.0.127.0.7.1.1.4.1.3': { family: 'ecdsa-plain', hash: SHA256 },
  '1.2.840.113549.1.1.11': { family: 'rsa', hash: SHA256 },
  '1.2.840.113549.1.1.12': { family: 'rsa', hash: SHA384 },
  '1.2.840.113549.1.1.13': { family: 'rsa', hash: SHA512 },
}

/** What node:crypto calls the keys that make such signatures; null where this runner does not know. */
export function keyTypeOf(signAlgo: string): 'rsa' | 'ec' | null {
  if (signAlgo === EC_KEY) return 'ec'
  if (signAlgo === RSA_KEY || signAlgo === RSA_PSS) return 'rsa'
  const family = SIGNATURES[signAlgo]?.family
  return family === undefined ? null : family === 'rsa' ? 'rsa' : 'ec'
}

/** Base64 of the DER of RSASSA-PSS-params: MGF1 with the same hash, salt as long as the digest. */
export const PSS_PARAMETERS: Readonly<Record<Hash['name'], string>> = {
  sha256: 'MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg',
  sha384: 'MDSgDzANBglghkgBZQMEAgIFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgIFAKIDAgEw',
  sha512: 'MDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgMFAKIDAgFA',
}

/** A text to sign, with its digest; signatures are checked over the text. */
export interface Document {
  readonly bytes: Buffer
  readonly hash: Hash
  readonly digest: Buffer
  readonly base64: string
  readonly base64url: string
}

let documents = 0

/** A document nobody signed before. */
export function newDocument(hash: Hash = SHA256): Document {
  documents += 1
  const bytes = Buffer.from(`document ${documents} of ${new Date().toISOString()} ${Math.random()}`)
  const digest = createHash(hash.name).update(bytes).digest()
  return {
    ...{ bytes, hash, digest },
    base64: digest.toString('base64'),
    base64url: digest.toString('base64url'),
  }
}

export function newDocuments(count: number, hash: Hash = SHA256): Document[] {
  return Array.from({ length: count }, () => newDocument(hash))
}

/** How a signature was asked for. */
export interface Algorithm {
  readonly signAlgo: string
  readonly signAlgoParams?: string
  readonly hashAlgorithmOID?: string
}

/** @throws {NotMet} when the signature is not one of the certificate's key over the document */
export function verifySignature(
  signature: string,
  document: Document,
  certificate: X509Certificate,
  { signAlgo }: Algorithm,
): void {
  if (!isBase64(signature)) throw new NotMet('the signature is not plain Base64')
  const bytes = Buffer.from(signature, 'base64')
  const key = certificate.publicKey
  const name = document.hash.name
  if (signAlgo === RSA_PSS) {
    const pss = {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: document.hash.bytes,
    }
    if (verify(name, document.bytes, pss, bytes)) return
  } else if (key.asymmetricKeyType === 'ec') {
    const plain = SIGNATURES[signAlgo]?.family === 'ecdsa-plain'
    const dsaEncoding = plain ? 'ieee-p1363' : 'der'
    if (createVerify(name).update(document.bytes).verify({ key, dsaEncoding }, bytes)) return
  } else if (verify(name, document.bytes, key, bytes)) return
  throw new NotMet(`a signature does not verify under the certificate (${signAlgo}, ${name})`)
}

/** RFC 4648, 4: padded, in one line, with + and /. */
export function isBase64(text: string): boolean {
  return (
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== ''
  )
}

export function isOid(text: string): boolean {
  return /^[0-2](\.(0|[1-9]\d*))+$/.test(text)
}
