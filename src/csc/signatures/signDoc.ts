import { createHash } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { signerOf, type WantedDigest } from '../../activation/activations.js'
import type { Authorisation, Repeatable, SigningJob } from '../../activation/authorisation.js'
import type { Stay } from '../../admission/gate.js'
import { hashBearerValue } from '../../activation/sad.js'
import type { Credential } from '../../credentials/credential.js'
import type { ValidationData } from '../../documents/ades.js'
import type { DocumentSigning, SignedDocuments } from '../../documents/documents.js'
import {
  documentDigest,
  hashTypesOf,
  type PreparedDocument,
} from '../../documents/prepared-document.js'
import {
  DocumentNotAuthorizedError,
  HashNotAuthorizedError,
  HsmUnavailableError,
  InvalidParameterError,
  MissingParameterError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { Large } from '../../http/endpoint.js'
import { invalid, missing } from '../../http/refusals.js'
import { rejectOtherBytes } from '../../signing/document-jobs.js'
import type { AgreedProperty } from '../../transactions/transaction.js'
import { ClientData, FOREIGN_CREDENTIAL, UNUSABLE_CREDENTIAL } from '../parameters.js'
import { authorisationOf } from '../sad.js'
import { defineCscEndpoint, type CscServices } from '../services.js'
import {
  DocumentDigests,
  DocumentItems,
  requestedDocuments,
  UNFIT_ITEMS,
} from './document-items.js'
import {
  agreedTo,
  isRefusedUse,
  isUsedUp,
  nameRequest,
  OperationMode,
  rejectUnfitAlgorithm,
  requestedLater,
  ResponseUri,
  Sad,
  ToBePolled,
  UNFIT_MODE,
  ValidityPeriod,
  whyRefused,
  type Agreement,
  type Later,
} from './signing-request.js'

const Request = Type.Object({
  SAD: Sad,
  credentialID: Type.Optional(
    Type.String({ description: 'The credential; may be absent beside signatureQualifier.' }),
  ),
  signatureQualifier: Type.Optional(
    Type.String({
      complaint: 'Invalid parameter signatureQualifier',
      description: 'Kind of signature, which the authorised credential has to be for.',
    }),
  ),
  documentDigests: DocumentDigests,
  documents: DocumentItems,
  operationMode: OperationMode,
  validity_period: ValidityPeriod,
  response_uri: ResponseUri,
  clientData: ClientData,
  returnValidationInfo: Type.Optional(
    Type.Boolean({
      complaint: 'Invalid parameter returnValidationInfo',
      description: 'Whether validation data that is not in the signatures is returned beside them.',
    }),
  ),
  returnValidationInformation: Type.Optional(
    Type.Unknown({ description: 'What some applications call returnValidationInfo.' }),
  ),
})

const Base64s = (description: string) =>
  Type.Optional(Type.Array(Type.String({ contentEncoding: 'base64' }), { description }))

/** What signing documents answers, at once or by `signatures/signPolling`. */
export const SignedDocumentsAnswer = Type.Object({
  DocumentWithSignature: Base64s('Documents with their signatures, in the order of the request.'),
  SignatureObject: Base64s('Signatures apart from their documents, in the order of the request.'),
  validationInfo: Type.Optional(
    Type.Object(
      {
        ocsp: Base64s('OCSP responses, DER.'),
        crl: Base64s('Certificate revocation lists, DER.'),
        certificates: Base64s('Certificates that are not in the signatures, DER.'),
      },
      { description: 'With returnValidationInfo, when there is any.' },
    ),
  ),
})

/** Makes AdES signatures over documents, or digests of documents, that the signer approved (CSC API v2, 11.11). */
export const signDoc = defineCscEndpoint({
  path: '/signatures/signDoc',
  summary: 'Sign documents the signer approved',
  scopes: ['service', 'credential', 'client'],
  request: Request,
  response: Type.Union([SignedDocumentsAnswer, ToBePolled]),
  repeatable: true,
  takesDocuments: true,
  isOn: ({ documents }) => documents.capabilities.formats.length > 0,
  refuses: [
    ...missing('string', 'SAD', 'credentialID'),
    ...invalid('SAD', 'signatureQualifier'),
    ...FOREIGN_CREDENTIAL,
    ...UNFIT_ITEMS,
    ...UNFIT_MODE,
    'unfit-signed-properties',
    'unfit-document',
    'document-not-authorized',
    'unusable-sad',
    'sad-expired',
    'too-many-signatures',
    ...UNUSABLE_CREDENTIAL,
    'timestamp-unavailable',
    'validation-data-unavailable',
    'hsm-unavailable',
    'hsm-outcome-unknown',
    'signature-withheld',
  ],

  async handle(input, caller, services, { idempotencyKey, stay }) {
    const { credentials } = services
    const { authorisationId, sad } = await authorisationOf(input.SAD, caller, services)
    const asked = { authorisationId, mayRepeat: idempotencyKey !== null }
    const credential = await requestedCredential(input, asked, caller, services)
    const signer = signerOf(credential, caller)
    const signing = await requestedSigning(input, credential, caller, services)
    const later = await requestedLater(input, caller, services)
    const wanted = await wantedDigests(signing)
    const named = nameRequest(idempotencyKey, signer, [
      ...[authorisationId, credential.id, factsOf(signing, wanted)],
      ...(later ? ['A', later.responseUri?.href ?? ''] : []),
    ])
    const request = { authorisationId, sad, credential, signer, signing, wanted, named }
    try {
      if (later) return { responseID: await signLater(request, later, services, stay) }
      return renderSigned((await findSigned(request, services)) ?? (await sign(request, services)))
    } catch (error) {
      if (isRefusedUse(error)) {
        await credentials.noteRefusedUse(credential, signer, whyRefused(error))
      }
      if (!(error instanceof HashNotAuthorizedError)) throw error
      throw new DocumentNotAuthorizedError(sad || input.SAD ? 'SAD' : 'token')
    }
  },
})

type Input = Static<typeof Request>

/**
 * The credential that is named, or else the one the authorisation is for, when it is for that kind of
 * signature. @throws {MissingParameterError} @throws {InvalidParameterError}
 */
async function requestedCredential(
  { credentialID, signatureQualifier }: Input,
  { authorisationId, mayRepeat }: { authorisationId: string; mayRepeat: boolean },
  caller: AccessToken,
  { credentials, activations }: CscServices,
): Promise<Credential> {
  if (!credentialID && !signatureQualifier) {
    throw new MissingParameterError('credentialID', 'string')
  }
  const id = credentialID || (await activations.credentialOf(authorisationId))
  const credential = id === null ? null : await credentials.findFor(caller, id, mayRepeat)
  if (!credential) throw new InvalidParameterError(credentialID ? 'credentialID' : 'SAD')
  if (signatureQualifier && credential.signatureQualifier !== signatureQualifier) {
    throw new InvalidParameterError('signatureQualifier')
  }
  return credential
}

async function requestedSigning(
  input: Input,
  credential: Credential,
  { clientId }: AccessToken,
  { config, documents, documentReferences: references, now }: CscServices,
): Promise<DocumentSigning> {
  const {
    returnValidationInformation,
    returnValidationInfo = returnValidationInformation === true,
  } = input
  const asked = await requestedDocuments(input, documents, {
    allowBoth: config.policy.signDocAllowBoth,
    isDocumentHost: (host) => references.isAllowed(host, clientId),
    references,
  })
  for (const { algorithm = asked.algorithm } of asked.requests) {
    rejectUnfitAlgorithm(algorithm, credential)
  }
  return {
    ...asked,
    credential: { certificates: credential.certificates },
    // Formats write whole seconds.
    signingTime: new Date(Math.floor(now().getTime() / 1000) * 1000),
    returnValidationInfo: returnValidationInfo && documents.offersValidationInfo,
  }
}

/** Whether they may be signed at all is known before any document is read. */
function wantedDigests({ requests, algorithm }: DocumentSigning): Promise<WantedDigest[]> {
  return Promise.all(
    requests.map(async ({ content, algorithm: own = algorithm }) => ({
      digest: await documentDigest(content, own.hash),
      as: hashTypesOf(content),
    })),
  )
}

/** Names what is asked for: documents by their digests. */
function factsOf(signing: DocumentSigning, wanted: readonly WantedDigest[]): string {
  const { requests, algorithm, returnValidationInfo } = signing
  const items = requests.map(({ content, ...request }, index) => {
    const kind = content.document ? 'document' : 'digest'
    return [kind, wanted[index]?.digest.toString('base64'), request]
  })
  const facts = JSON.stringify([items, algorithm, returnValidationInfo])
  return createHash('sha256').update(facts).digest('base64url')
}

interface SigningRequest extends Agreement {
  readonly signing: DocumentSigning
  readonly wanted: readonly WantedDigest[]
  readonly named: Repeatable | null
}

/**
 * What an earlier request of the same name signed: its signatures are recorded, and completed once more
 * with what the documents were prepared with. Null when there was none.
 */
async function findSigned(
  { named, signing }: SigningRequest,
  { activations, documents }: CscServices,
): Promise<SignedDocuments | null> {
  const earlier = named && (await activations.findEarlier(named))
  if (!earlier) return null
  const { signatures, toBeSigned } = earlier
  const asThen = { ...signing, signingTime: earlier.signingTime ?? signing.signingTime }
  const prepared = await documents.prepare(asThen)
  rejectOtherBytes(prepared, toBeSigned)
  return documents.complete(asThen, prepared, signatures)
}

async function sign(request: SigningRequest, services: CscServices): Promise<SignedDocuments> {
  const { signing, documents } = services
  try {
    const { prepared, authorisation } = await prepare(request, services)
    const activation = await redeem(request, { prepared, authorisation, job: null }, services)
    const values = await signing.signHashes(activation)
    return await documents.complete(request.signing, prepared, values)
  } catch (error) {
    // The same request may have used it up since: repeated, it is no second use.
    const since = isUsedUp(error) ? await findSigned(request, services) : null
    if (!since) throw error
    return since
  }
}

/** Accepts the request once it is on record and its signatures are taken from what was agreed to. */
async function signLater(
  request: SigningRequest,
  later: Later,
  services: CscServices,
  stay: Stay,
): Promise<string> {
  const { activations, signingJobs, documentJobs } = services
  const { named, signer, signing } = request
  const responseID = signingJobs.newResponseID(named)
  if (named && (await activations.isRepeated(named))) return responseID
  try {
    const { prepared, authorisation } = await prepare(request, services)
    const job = {
      ...signingJobs.describe(responseID, signer, later),
      documents: documentJobs.seal(hashBearerValue(responseID), signing),
    }
    const activation = await redeem(request, { prepared, authorisation, job }, services)
    stay(documentJobs.start(responseID, signing, { activation, prepared }))
  } catch (error) {
    // The same request may have been accepted since: repeated, it is no second use.
    const since = error instanceof HsmUnavailableError || isUsedUp(error)
    if (!(since && named && (await activations.isRepeated(named)))) throw error
  }
  return responseID
}

/** All that can fail before anything is used up: the approval, the documents, timestamps and revocation data. */
async function prepare(request: SigningRequest, services: CscServices) {
  const { documents } = services
  const authorisation = await agreedTo(request.wanted, request, services)
  await rejectOtherProperties(request, authorisation, services)
  const prepared = await documents.prepare(request.signing)
  await documents.demandProofs(request.signing)
  return { authorisation, prepared }
}

/** Whoever agreed to certain properties agreed to no others. @throws {HashNotAuthorizedError} */
async function rejectOtherProperties(
  { wanted, signing }: SigningRequest,
  { transactionId }: Authorisation,
  { transactions }: CscServices,
): Promise<void> {
  const { items = [] } = (await transactions.find(transactionId)) ?? {}
  wanted.forEach(({ digest }, index) => {
    const asked = namesAndValues(signing.requests[index]?.signedProperties ?? [])
    const agreed = items.filter((item) => item.digest.equals(digest))
    const fits = agreed.some(
      ({ signedProperties }) => !signedProperties || namesAndValues(signedProperties) === asked,
    )
    if (agreed.length > 0 && !fits) throw new HashNotAuthorizedError('other signed properties')
  })
}

/** In whichever order. */
function namesAndValues(properties: readonly AgreedProperty[]): string {
  return JSON.stringify(properties.map(({ name, value }) => JSON.stringify([name, value])).sort())
}

function redeem(
  { credential, signer, sad, named, signing }: SigningRequest,
  parts: {
    readonly authorisation: Authorisation
    readonly prepared: readonly PreparedDocument[]
    readonly job: SigningJob | null
  },
  { activations }: CscServices,
) {
  const { authorisation, prepared, job } = parts
  const { signingTime } = signing
  return activations.redeemDocuments({
    ...{ authorisation, caller: signer, credential, sad, job },
    documents: prepared,
    repeatable: named && { ...named, signingTime },
  })
}

export function renderSigned({ signatures, validationInfo }: SignedDocuments): Large {
  const those = (hold: boolean) =>
    signatures.flatMap(({ bytes, holdsDocument }) => (holdsDocument === hold ? [bytes] : []))
  const [withDocument, apart] = [those(true), those(false)]
  return new Large({
    ...(withDocument.length > 0 ? { DocumentWithSignature: withDocument } : {}),
    ...(apart.length > 0 ? { SignatureObject: apart } : {}),
    ...(validationInfo ? { validationInfo: renderValidationInfo(validationInfo) } : {}),
  })
}

function renderValidationInfo({ ocspResponses, crls, certificates }: ValidationData) {
  const some = (name: string, all: readonly Buffer[]) => (all.length === 0 ? {} : { [name]: all })
  return {
    ...some('ocsp', ocspResponses),
    ...some('crl', crls),
    ...some('certificates', certificates),
  }
}
