import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  AccessDescription,
  AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  CRLDistributionPoints,
  DistributionPoint,
  Extension,
  ExtKeyUsage,
  GeneralName,
  InfoAccess,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from 'pkijs'
import { sequenceOf } from '../../src/certificates/der.js'
import { encodeName } from '../../src/certificates/distinguished-name.js'

/*
 * Certificates, CRLs and OCSP responses with whatever is wrong about them, made in no time: nothing of them
 * is checked while they are made.
 */

const OIDS = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extKeyUsage: '2.5.29.37',
  crlDistributionPoints: '2.5.29.31',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  caIssuers: '1.3.6.1.5.5.7.48.2',
  ocsp: '1.3.6.1.5.5.7.48.1',
  basicOcsp: '1.3.6.1.5.5.7.48.1.1',
  ocspNonce: '1.3.6.1.5.5.7.48.1.2',
  crlNumber: '2.5.29.20',
} as const
export const EKU = {
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  serverAuth: '1.3.6.1.5.5.7.3.1',
}
const HOUR = 3_600_000

/** Somebody with a key and a certificate for it. */
export interface MadeUp {
  readonly name: string
  readonly certificate: Buffer
  readonly key: KeyObject
  readonly publicKey: Buffer
  readonly serial: Buffer
  readonly issuer: MadeUp | null
}

export interface MadeUpSettings {
  readonly name: string
  readonly issuer?: MadeUp | null
  /** Another key than that of the issuer. */
  readonly signedBy?: KeyObject
  readonly authority?: boolean
  readonly keyUsage?: readonly ('digitalSignature' | 'keyCertSign' | 'cRLSign')[]
  readonly eku?: readonly string[]
  readonly ekuCritical?: boolean
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly ocsp?: string
  readonly caIssuers?: string
  readonly crl?: string
  readonly noCheck?: boolean
  readonly more?: readonly Extension[]
}

const BITS = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 }

export function makeUp(settings: MadeUpSettings): MadeUp {
  const { name, issuer = null, authority = false } = settings
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const serial = Buffer.concat([Buffer.from([0x41]), randomBytes(11)])
  const now = Date.now()
  const certificate = new Certificate({
    version: 2,
    serialNumber: integer(serial),
    signature: ecdsa(),
    issuer: nameOf(issuer?.name ?? name),
    subject: nameOf(name),
    notBefore: time(settings.notBefore ?? new Date(now - 24 * HOUR)),
    notAfter: time(settings.notAfter ?? new Date(now + 30 * 24 * HOUR)),
    subjectPublicKeyInfo: new PublicKeyInfo({ schema: asn1js.fromBER(spki).result }),
    extensions: extensionsOf({ ...settings, authority }),
  })
  const tbs = Buffer.from(certificate.encodeTBS().toBER())
  const signer = settings.signedBy ?? issuer?.key ?? privateKey
  return {
    ...{ name, key: privateKey, publicKey: spki, serial, issuer },
    certificate: signed(tbs, signer),
  }
}

function extensionsOf(settings: MadeUpSettings & { authority: boolean }): Extension[] {
  const usage =
    settings.keyUsage ?? (settings.authority ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'])
  const bits = usage.reduce((byte, each) => byte | BITS[each], 0)
  const access = (
    [
      ['ocsp', settings.ocsp],
      ['caIssuers', settings.caIssuers],
    ] as const
  ).flatMap(([method, url]) =>
    url === undefined
      ? []
      : [new AccessDescription({ accessMethod: OIDS[method], accessLocation: uri(url) })],
  )
  return [
    extension(
      'basicConstraints',
      true,
      new BasicConstraints({ cA: settings.authority }).toSchema(),
    ),
    extension('keyUsage', true, new asn1js.BitString({ valueHex: new Uint8Array([bits]) })),
    ...(settings.eku
      ? [
          extension(
            'extKeyUsage',
            settings.ekuCritical ?? true,
            new ExtKeyUsage({ keyPurposes: [...settings.eku] }).toSchema(),
          ),
        ]
      : []),
    ...(access.length > 0
      ? [
          extension(
            'authorityInfoAccess',
            false,
            new InfoAccess({ accessDescriptions: access }).toSchema(),
          ),
        ]
      : []),
    ...(settings.crl === undefined
      ? []
      : [
          extension(
            'crlDistributionPoints',
            false,
            new CRLDistributionPoints({
              distributionPoints: [
                new DistributionPoint({ distributionPoint: [uri(settings.crl)] }),
              ],
            }).toSchema(),
          ),
        ]),
    ...(settings.noCheck ? [extension('ocspNoCheck', false, new asn1js.Null())] : []),
    ...(settings.more ?? []),
  ]
}

export interface CrlSettings {
  readonly issuer: MadeUp
  readonly revoked?: readonly Pick<MadeUp, 'serial'>[]
  readonly thisUpdate?: Date
  readonly nextUpdate?: Date | null
  readonly signedBy?: KeyObject
  readonly criticalExtension?: string
  /** Value of that extension, DER. */
  readonly criticalValue?: Buffer
  /** CRLReason of all entries. */
  readonly reason?: number
}

function reasonOf(reason: number): Buffer {
  const extnValue = new asn1js.Enumerated({ value: reason }).toBER()
  const extension = new Extension({ extnID: '2.5.29.21', extnValue })
  return der(sequence(extension.toSchema()))
}

export function makeUpCrl(settings: CrlSettings): Buffer {
  const { issuer, revoked = [], thisUpdate = new Date(Date.now() - HOUR) } = settings
  const { nextUpdate = new Date(Date.now() + 24 * HOUR) } = settings
  const extensions = [
    extension('crlNumber', false, new asn1js.Integer({ value: 7 })),
    ...(settings.criticalExtension
      ? [
          new Extension({
            extnID: settings.criticalExtension,
            critical: true,
            extnValue: new Uint8Array(settings.criticalValue ?? [5, 0]).buffer,
          }),
        ]
      : []),
  ]
  const date = der(utcTime(thisUpdate))
  const said = settings.reason === undefined ? [] : [reasonOf(settings.reason)]
  const entries = revoked.map(({ serial }) => sequenceOf(der(integer(serial)), date, ...said))
  const tbs = sequenceOf(
    der(new asn1js.Integer({ value: 1 })),
    der(ecdsa().toSchema()),
    der(nameOf(issuer.name).toSchema()),
    date,
    ...(nextUpdate ? [der(utcTime(nextUpdate))] : []),
    ...(entries.length > 0 ? [sequenceOf(...entries)] : []),
    der(tagged(0, sequence(...extensions.map((each) => each.toSchema())))),
  )
  return signed(tbs, settings.signedBy ?? issuer.key)
}

export interface OcspSettings {
  readonly subject: MadeUp
  /** Of the subject. */
  readonly issuer: MadeUp
  readonly responder?: MadeUp
  readonly status?: 'good' | 'revoked' | 'unknown'
  /** Hash of the CertID, as the request had it. */
  readonly hash?: 'sha1' | 'sha256'
  readonly thisUpdate?: Date
  readonly nextUpdate?: Date | null
  /** What the extension holds, DER. */
  readonly nonce?: Buffer | null
  readonly signedBy?: KeyObject
  readonly responseStatus?: number
}

export function makeUpOcsp(settings: OcspSettings): Buffer {
  const { subject, issuer, responder = issuer, status = 'good', hash = 'sha1' } = settings
  const { thisUpdate = new Date(Date.now() - 60_000), responseStatus = 0 } = settings
  const { nextUpdate = new Date(Date.now() + HOUR) } = settings
  const enumerated = new asn1js.Enumerated({ value: responseStatus })
  if (responseStatus !== 0) return der(sequence(enumerated))
  const statuses = {
    good: new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 } }),
    revoked: tagged(1, generalized(thisUpdate)),
    unknown: new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 2 } }),
  }
  const single = sequence(
    certId(subject, issuer, hash),
    statuses[status],
    generalized(thisUpdate),
    ...(nextUpdate ? [tagged(0, generalized(nextUpdate))] : []),
  )
  const nonce = settings.nonce
    ? [tagged(1, sequence(nonceExtension(settings.nonce).toSchema()))]
    : []
  const responseData = sequence(
    tagged(1, nameOf(responder.name).toSchema()),
    generalized(new Date()),
    sequence(single),
    ...nonce,
  )
  const data = der(responseData)
  const signature = sign('sha256', data, settings.signedBy ?? responder.key)
  const basic = sequence(
    asn1js.fromBER(data).result,
    ecdsa().toSchema(),
    new asn1js.BitString({ valueHex: signature }),
    tagged(0, sequence(asn1js.fromBER(responder.certificate).result)),
  )
  const type = new asn1js.ObjectIdentifier({ value: OIDS.basicOcsp })
  return der(sequence(enumerated, tagged(0, sequence(type, octets(der(basic))))))
}

function certId(subject: MadeUp, issuer: MadeUp, hash: string): asn1js.AsnType {
  const oid = hash === 'sha1' ? '1.3.14.3.2.26' : '2.16.840.1.101.3.4.2.1'
  const digest = (bytes: Uint8Array) => octets(createHash(hash).update(bytes).digest())
  const { subjectPublicKey } = new PublicKeyInfo({
    schema: asn1js.fromBER(issuer.publicKey).result,
  })
  return sequence(
    new AlgorithmIdentifier({ algorithmId: oid, algorithmParams: new asn1js.Null() }).toSchema(),
    digest(encodeName({ commonName: issuer.name })),
    digest(subjectPublicKey.valueBlock.valueHexView),
    integer(subject.serial),
  )
}

function signed(tbs: Buffer, key: KeyObject): Buffer {
  return sequenceOf(
    ...[tbs, der(ecdsa().toSchema())],
    der(new asn1js.BitString({ valueHex: sign('sha256', tbs, key) })),
  )
}

function nonceExtension(value: Buffer): Extension {
  return new Extension({ extnID: OIDS.ocspNonce, extnValue: new Uint8Array(value).buffer })
}

export function noRevAvail(): Extension {
  return new Extension({ extnID: '2.5.29.56', extnValue: new asn1js.Null().toBER() })
}

export function extension(
  name: keyof typeof OIDS,
  critical: boolean,
  value: asn1js.AsnType,
): Extension {
  return new Extension({ extnID: OIDS[name], critical, extnValue: value.toBER() })
}

const der = (block: asn1js.AsnType) => Buffer.from(block.toBER())
const ecdsa = () => new AlgorithmIdentifier({ algorithmId: OIDS.ecdsaWithSha256 })
const sequence = (...value: asn1js.AsnType[]) => new asn1js.Sequence({ value })
const octets = (bytes: Buffer) => new asn1js.OctetString({ valueHex: bytes })
const integer = (bytes: Buffer) => new asn1js.Integer({ valueHex: bytes })
const utcTime = (valueDate: Date) => new asn1js.UTCTime({ valueDate })
const time = (value: Date) => new Time({ type: 0, value })
const generalized = (value: Date) =>
  new asn1js.GeneralizedTime({ valueDate: new Date(Math.floor(+value / 1000) * 1000) })
const tagged = (tagNumber: number, ...value: asn1js.AsnType[]) =>
  new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value })
const uri = (value: string) => new GeneralName({ type: 6, value })
const nameOf = (commonName: string) =>
  new RelativeDistinguishedNames({ schema: asn1js.fromBER(encodeName({ commonName })).result })
