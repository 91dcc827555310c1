import type { Credential } from '../credentials/credential.js'
import { signingCertificate } from '../credentials/credentials.js'
import type { Transaction } from '../transactions/transaction.js'
import type { ApprovalView } from './pages/index.js'

type Facts = 'credentials' | 'numSignatures' | 'hashAlgorithm' | 'items' | 'description'

/** What is to be signed, and with what, as the signer is shown it: all of it. */
export function approvalFacts(
  asked: Pick<Transaction, 'numSignatures' | 'hashAlgorithm' | 'items' | 'description'>,
  candidates: readonly Credential[],
): Pick<ApprovalView, Facts> {
  const { numSignatures, hashAlgorithm, items, description } = asked
  return {
    credentials: candidates.map((credential) => {
      const { subject, serialNumber } = signingCertificate(credential)
      return { id: credential.id, description: credential.description, subject, serialNumber }
    }),
    numSignatures,
    hashAlgorithm: hashAlgorithm?.name.replace('sha', 'SHA-') ?? '',
    items: items.map(({ digest, label }) => ({
      digestHex: digest.toString('hex'),
      digestBase64: digest.toString('base64'),
      ...(label === null ? {} : { label }),
    })),
    ...(description === null ? {} : { description }),
  }
}
