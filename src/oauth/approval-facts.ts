import type { Credential } from '../credentials/credential.js'
import { namesOf } from '../credentials/credentials.js'
import { propertyText } from '../documents/property-text.js'
import type { PasskeyPurpose } from '../identity/passkeys.js'
import type { Transaction } from '../transactions/transaction.js'
import { transactionFacts } from './identity-steps.js'
import type { ApprovalView, ShownDocument } from './pages/index.js'

type Facts = 'credentials' | 'numSignatures' | 'hashAlgorithm' | 'items' | 'description'

/** What a passkey is asked for: this transaction as it stands, and no other (S22). */
export function passkeyPurpose(transaction: Transaction): PasskeyPurpose {
  const facts = transactionFacts(transaction)
  return { purpose: 'approval', clientId: transaction.clientId, facts }
}

/** “SHA-256” */
export function shownAlgorithm({ hashAlgorithm }: Pick<Transaction, 'hashAlgorithm'>): string {
  return hashAlgorithm?.name.replace('sha', 'SHA-') ?? ''
}

/**
 * What is to be signed, and with what, as the signer is shown it: all of it.
 * @param documents what there is to be shown of each item
 */
export function approvalFacts(
  asked: Pick<Transaction, 'numSignatures' | 'hashAlgorithm' | 'items' | 'description'>,
  candidates: readonly Credential[],
  documents: readonly (ShownDocument | null)[],
): Pick<ApprovalView, Facts> {
  const { numSignatures, items, description } = asked
  return {
    credentials: candidates.map((credential) => {
      const { id, description } = credential
      return { id, description, certificate: namesOf(credential) }
    }),
    numSignatures,
    hashAlgorithm: shownAlgorithm(asked),
    items: items.map(({ digest, label, signedProperties = [] }, index) => ({
      digestHex: digest.toString('hex'),
      digestBase64: digest.toString('base64'),
      ...(label === null ? {} : { label }),
      properties: signedProperties.map(({ name, value }) => {
        return { name, text: value === null ? '' : propertyText(value) }
      }),
      document: documents[index] ?? null,
    })),
    ...(description === null ? {} : { description }),
  }
}
