import { keptPromise } from '../kept-promise.js'
import type { AdesFormat, SignatureFormat } from './ades.js'
import { CONTAINER_TYPES, type ContainerType } from './asic/container-type.js'

/** What is known of a format before its code is loaded. */
export interface FormatFacts extends Pick<
  AdesFormat,
  'format' | 'documentEnvelopes' | 'digestEnvelopes'
> {
  /** Archives its signatures go into, together with what is signed. */
  readonly containers: readonly ContainerType[]
  /** A new one each time. */
  load(): Promise<AdesFormat>
}

/**
 * The formats there are, in the order of the specification. Each is loaded when it is first asked for: PDF
 * and XML libraries are as large as the rest of the service.
 */
export const FORMATS: Readonly<Partial<Record<SignatureFormat, FormatFacts>>> = {
  C: {
    format: 'C',
    documentEnvelopes: ['Attached', 'Detached', 'Parallel'],
    digestEnvelopes: ['Detached'],
    containers: CONTAINER_TYPES,
    load: async () => new (await import('./cades/cades.js')).Cades(),
  },
  X: {
    format: 'X',
    documentEnvelopes: ['Enveloped', 'Enveloping', 'Detached'],
    digestEnvelopes: ['Detached'],
    containers: CONTAINER_TYPES,
    load: async () => new (await import('./xades/xades.js')).Xades(),
  },
  P: {
    format: 'P',
    documentEnvelopes: ['Certification', 'Revision'],
    digestEnvelopes: ['Certification', 'Revision'],
    containers: [],
    // PDFs are parsed in threads, which outlive a call.
    load: keptPromise(async () => new (await import('./pades/pades.js')).Pades()),
  },
  J: {
    format: 'J',
    documentEnvelopes: ['Attached', 'Detached', 'Parallel'],
    digestEnvelopes: ['Detached'],
    containers: [],
    load: async () => new (await import('./jades/jades.js')).Jades(),
  },
}

/** A format that signs a document inside a container; null for those that do not. */
export async function containerFormat(
  format: SignatureFormat,
  type: ContainerType,
): Promise<AdesFormat | null> {
  if (format !== 'C' && format !== 'X') return null
  const { Asic } = await import('./asic/asic.js')
  const signer =
    format === 'C'
      ? new (await import('./asic/cades-signer.js')).CadesSigner()
      : new (await import('./asic/xades-signer.js')).XadesSigner()
  return new Asic(signer, type)
}
