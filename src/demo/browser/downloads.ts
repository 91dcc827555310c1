import type { HashAlgorithm } from './algorithms.js'
import { toPem, type Bytes } from './encoding.js'

export const CHAIN_FILE = 'signer-chain.pem'

/** A name that every file system takes as it is, so that the printed command finds the file. */
export function signatureFile(documentName: string): string {
  return `${safeName(documentName)}.sig`
}

export function signedFile(documentName: string): string {
  return `${safeName(documentName).replace(/\.pdf$/i, '')}-signed.pdf`
}

function safeName(documentName: string): string {
  const safe = documentName
    .replace(/[^\p{L}\p{N}._()+ -]/gu, '_')
    .replace(/^[.\- ]+/, '')
    .trimEnd()
  return safe || 'document'
}

export function chainPem(chain: readonly Bytes[]): string {
  return chain.map((der) => toPem('CERTIFICATE', der)).join('')
}

/** What to type to check the signature without this page or this service. */
export function opensslCommand(documentName: string, hash: HashAlgorithm): string {
  return [
    `openssl x509 -in ${CHAIN_FILE} -pubkey -noout > signer.pub`,
    `openssl dgst -${hash.openssl} -verify signer.pub -signature ${shellQuote(signatureFile(documentName))} ${shellQuote(documentName)}`,
  ].join('\n')
}

/** One argument of a POSIX shell that no program takes for an option. */
export function shellQuote(argument: string): string {
  const path = argument.startsWith('-') ? `./${argument}` : argument
  if (/^[\w./@%+=:,-]+$/.test(path)) return path
  return `'${path.replaceAll("'", `'\\''`)}'`
}
