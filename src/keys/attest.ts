import { isStatement } from '../certificates/statement.js'
import { SignatureWithheldError } from '../errors.js'
import { digestOf } from './digest.js'
import type { KeyCustody, ServiceStatement } from './key-custody.js'

/** By the custody's own way to sign statements, or as anything else where it has none. */
export async function attestWith(
  custody: KeyCustody,
  statement: ServiceStatement,
): Promise<Buffer> {
  if (custody.attest) return custody.attest(statement)
  const { kind, toBeSigned, keyId, algorithm } = statement
  if (!isStatement(statement)) throw new SignatureWithheldError(`This is no ${kind}`)
  const digest = digestOf(algorithm.hash, toBeSigned)
  const [signature] = await custody.sign(keyId, [digest], algorithm)
  if (!signature) throw new SignatureWithheldError(`A ${kind} was not signed`)
  return signature
}
