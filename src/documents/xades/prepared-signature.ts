import { derToJose } from 'ecdsa-sig-formatter'
import { parseCertificate } from '../../certificates/certificate.js'
import { UnfitDocumentError, UnfitSignedPropertiesError } from '../../errors.js'
import {
  HASH_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import { readTimestampToken } from '../../timestamping/timestamp-token.js'
import type {
  AdesSignature,
  PreparedSignature,
  ProofSources,
  SignatureParameters,
} from '../ades.js'
import { certificatesToEmbed } from '../signatory.js'
import { callerProperties, unfitProperties, type CallerProperty } from './caller-properties.js'
import { EXCLUSIVELY } from './identifiers.js'
import { unsignedProperties } from './levels.js'
import { signedProperties } from './qualifying-properties.js'
import { malformed, signatureParts } from './signature-parts.js'
import {
  propertiesInPlace,
  signatureIds,
  signatureText,
  type SignatureContent,
  type SignatureIds,
} from './signature-text.js'
import { heldObjects, placed, type Subject } from './subjects.js'
import type { XadesReading } from './xades-reader.js'
import type { XmlText } from './xml-text.js'
import { withTree } from './xml-tree.js'

/**
 * @throws {UnfitDocumentError} when what comes out would not validate: known before the key is asked
 * @throws {UnfitSignedPropertiesError}
 */
export function prepare(subject: Subject, parameters: SignatureParameters): PreparedSignature {
  const { level, signatory, algorithm, signedProperties } = parameters
  const unfit = unfitProperties(signedProperties)
  if (unfit.length > 0) throw new UnfitSignedPropertiesError(unfit)
  const properties = callerProperties(signedProperties)
  rejectForeignTimestamps(properties, subject, algorithm)
  const content = signatureContent(subject, parameters, properties)
  const toBeSigned = withTree(signatureText(content, Buffer.alloc(0), []), (tree) =>
    tree.canonicalElement(signatureParts(tree.root).signedInfo, EXCLUSIVELY),
  )
  if (subject.reread !== null) {
    const draft = placed(signatureText(content, draftValue(algorithm), []), subject.place)
    rejectUnsound(subject.reread(draft.bytes), content.ids)
  }
  const references = level === 'B-LTA' ? referencedOctets(subject, content) : null
  const contentTimestamps = properties.filter(({ tokens }) => tokens.length > 0)
  const complete = async (value: Buffer, sources: ProofSources): Promise<AdesSignature> => {
    const inPlace = xmlSignatureValue(value, algorithm, signatory.certificate)
    const unsigned = await unsignedProperties({
      ...{ level, content, signatory, references, contentTimestamps, sources },
      value: inPlace,
    })
    const result = placed(signatureText(content, inPlace, unsigned), subject.place)
    return { ...result, validationInfo: null }
  }
  return { toBeSigned, complete }
}

function signatureContent(
  subject: Subject,
  parameters: SignatureParameters,
  properties: readonly CallerProperty[],
): SignatureContent {
  const { algorithm, signatory, signingTime } = parameters
  const ids = idsOf(parameters, subject)
  const referenceId = demandedReferenceId(properties, subject)
  const references = subject.references.map((reference, index) => ({
    ...reference,
    id: referenceId ?? `${ids.reference}-${index + 1}`,
    uri: reference.isHeld ? `#${ids.object}` : reference.uri,
  }))
  const { certificate } = signatory
  const { hash } = algorithm
  const id = ids.signedProperties
  const signed = signedProperties({
    ...{ id, signingTime, certificate, hash, references, properties },
  })
  return {
    ...{ ids, algorithm, references },
    signedProperties: signed,
    signedPropertiesDigest: digestOf(hash, canonical(ids, signed)),
    certificates: certificatesToEmbed(signatory),
    objects: heldObjects(subject, ids),
  }
}

function idsOf(parameters: SignatureParameters, { seed }: Subject): SignatureIds {
  const { algorithm, envelope, signatory, signingTime, referenceUri } = parameters
  const facts = [algorithm.scheme, algorithm.hash.name, envelope, signingTime.toISOString()]
  const properties = parameters.signedProperties.map(({ name, value }) => [name, value])
  return signatureIds(
    seed,
    signatory.certificate,
    JSON.stringify([...facts, referenceUri, properties]),
  )
}

/** The signed properties, as they are in their place. */
function canonical(ids: SignatureIds, signed: XmlText): Buffer {
  return withTree(propertiesInPlace(ids, signed), (tree) => {
    const [properties] = tree.elements('//xades:SignedProperties')
    return tree.canonicalElement(properties ?? malformed('xades:SignedProperties'), EXCLUSIVELY)
  })
}

/**
 * How properties call the reference to what is signed; null when they leave that to us.
 * @throws {UnfitSignedPropertiesError} for names that differ, or that are something else's
 */
function demandedReferenceId(
  properties: readonly CallerProperty[],
  { takenIds, references }: Subject,
): string | null {
  const demands = properties.flatMap(({ referenceId }) => referenceId ?? [])
  const [id = null, another] = new Set(demands)
  const names = [...properties.flatMap(({ ids }) => ids), ...(id === null ? [] : [id])]
  const isTaken = new Set(names).size < names.length || names.some((name) => takenIds.has(name))
  const isAmbiguous = another !== undefined || (id !== null && references.length > 1)
  if (isTaken || isAmbiguous) {
    const naming = properties.filter(
      ({ ids, referenceId }) => ids.length > 0 || referenceId !== null,
    )
    throw new UnfitSignedPropertiesError(naming.map(({ name }) => name))
  }
  return id
}

/** @throws {UnfitSignedPropertiesError} naming timestamps that are over something else */
function rejectForeignTimestamps(
  properties: readonly CallerProperty[],
  { references }: Subject,
  algorithm: SignatureAlgorithm,
): void {
  const present = references.flatMap(({ octets }) => octets ?? [])
  const octets = present.length === references.length ? Buffer.concat(present) : null
  const digest = references.length === 1 ? (references[0]?.digest ?? null) : null
  const isForeign = (token: Buffer) => {
    try {
      const { hash: name, imprint } = readTimestampToken(token)
      const hash = Object.values(HASH_ALGORITHMS).find((each) => each.name === name)
      if (hash === undefined) return true
      const known = hash === algorithm.hash ? digest : null
      const own = known ?? (octets && digestOf(hash, octets))
      return own?.equals(imprint) !== true
    } catch {
      return true // the parsers throw on whatever is no token
    }
  }
  const unfit = properties.filter(({ tokens }) => tokens.some(isForeign))
  if (unfit.length > 0) throw new UnfitSignedPropertiesError(unfit.map(({ name }) => name))
}

/** What the references mean, as an archive timestamp takes it. */
function referencedOctets(
  { references }: Subject,
  { ids, signedProperties }: SignatureContent,
): Buffer[] {
  const present = references.flatMap(({ octets }) => octets ?? [])
  if (present.length !== references.length) throw new Error('Only a digest is there')
  return [...present, canonical(ids, signedProperties)]
}

/** How the library calls the curves. */
const CURVES: Readonly<Partial<Record<KeyAlgorithm, string>>> = {
  'p-256': 'ES256',
  'p-384': 'ES384',
  'p-521': 'ES512',
}

/** XML Signature has r and s one after the other. @see RFC 9231, 2.3.6 */
function xmlSignatureValue(
  value: Buffer,
  { scheme }: SignatureAlgorithm,
  certificate: Buffer,
): Buffer {
  if (scheme !== 'ecdsa') return value
  const curve = CURVES[parseCertificate(certificate).keyAlgorithm ?? 'rsa-2048']
  if (curve === undefined) throw new Error('The certificate has no key for ECDSA')
  return Buffer.from(derToJose(value, curve), 'base64url')
}

/** Of a form that a reader takes. */
function draftValue({ scheme }: SignatureAlgorithm): Buffer {
  return Buffer.alloc(scheme === 'ecdsa' ? 64 : 512)
}

/** What was just made has to hold for a reader who knows nothing of how it was made. */
function rejectUnsound({ signatures }: XadesReading, ids: SignatureIds): void {
  const [own, another] = signatures.filter(({ id }) => id === ids.signature)
  const isSound =
    another === undefined &&
    own?.problems.length === 0 &&
    own.propertiesAreSigned &&
    own.references.every(({ digestMatches }) => digestMatches === true)
  if (!isSound) throw new UnfitDocumentError('The document cannot hold a signature that validates')
}
