import { isBase64, isOid } from '../algorithms.js'
import { objectOf, stringsOf, type Answer } from '../exchange.js'
import { demand, same, succeeded } from '../expectations.js'
import { requirement, type Chapter, type Trial } from '../requirement.js'
import type { Subject } from '../subject.js'

const CLAUSE = 'CSC v2.0.0.2 §11.1'
const shall = { clause: CLAUSE }
const should = { clause: CLAUSE, level: 'SHOULD' } as const
const since22 = { clause: 'CSC v2.2.0.0 §11.1' }

const AUTH_TYPES = ['external', 'TLS', 'basic', 'digest', 'oauth2code', 'oauth2client']
/** Every method the editions of v2 know. */
export const V2_METHODS = [
  ...['info', 'auth/login', 'auth/revoke', 'credentials/list', 'credentials/info'],
  ...['credentials/create', 'credentials/delete', 'credentials/authorize'],
  ...['credentials/authorizeCheck', 'credentials/getChallenge', 'credentials/extendTransaction'],
  ...['credentials/sendOTP', 'signatures/signHash', 'signatures/signDoc', 'signatures/signPolling'],
  ...['signatures/timestamp', 'oauth2/authorize', 'oauth2/token', 'oauth2/revoke'],
  'oauth2/pushed_authorize',
]
const ENVELOPES: Readonly<Record<string, readonly string[]>> = {
  C: ['Detached', 'Attached', 'Parallel'],
  P: ['Certification', 'Revision'],
  X: ['Enveloped', 'Enveloping', 'Detached'],
  J: ['Detached', 'Attached', 'Parallel'],
}
const LEVEL_NAMES = /^Ades-B(-(B|T|LT|LTA))?$|^Ades-(T|LT|LTA)$/i

export const info: Chapter = {
  name: 'info',
  versions: ['v2'],
  requirements: [
    requirement('answers {} without any token', shall, async (t) => {
      succeeded(await t.call('info', {}))
    }),
    requirement('answers an empty body like {}', should, async (t) => {
      succeeded(await t.call('info', undefined))
    }),
    requirement('answers in JSON', { clause: 'CSC v2.0.0.2 §7.2' }, (t) => {
      demand(
        /^application\/json/i.test(t.info.contentType),
        `Content-Type is ${t.info.contentType}`,
      )
    }),
    requirement('has a base URI that ends in /csc/v2', { clause: 'CSC v2.0.0.2 §7.3' }, (t) => {
      demand(t.baseUrl.endsWith('/csc/v2'), `the base URI is ${t.baseUrl}`)
    }),
    ...['specs', 'name', 'logo', 'region', 'lang', 'description'].map((member) =>
      requirement(`has the text ${member}`, shall, ({ info: answer }) => {
        demand(answer.string(member) !== '', `${member} is empty`)
      }),
    ),
    ...['authType', 'methods', 'conformance_levels'].map((member) =>
      requirement(`has the list ${member}`, shall, ({ info: answer }) => {
        answer.strings(member)
      }),
    ),
    requirement('has signAlgorithms with the list algos', shall, ({ info: answer }) => {
      stringsOf(answer.object('signAlgorithms'), 'algos')
    }),
    requirement('has signature_formats with the list formats', shall, ({ info: answer }) => {
      stringsOf(answer.object('signature_formats'), 'formats')
    }),
    requirement('says in specs an edition of version 2, as Major.Minor.x.y', shall, (t) => {
      const specs = t.info.string('specs')
      demand(/^2(\.\d+){3}$/.test(specs), `specs is ${specs}`)
    }),
    requirement('has a name of at most 255 characters', shall, ({ info: answer }) => {
      demand(answer.string('name').length <= 255, 'name is longer')
    }),
    requirement('has a description of at most 255 characters', shall, ({ info: answer }) => {
      demand(answer.string('description').length <= 255, 'description is longer')
    }),
    requirement('names the region as an ISO 3166-1 alpha-2 code', shall, ({ info: answer }) => {
      demand(/^[A-Z]{2}$/.test(answer.string('region')), `region is ${answer.string('region')}`)
    }),
    requirement('names lang as an RFC 5646 tag', shall, ({ info: answer }) => {
      demand(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(answer.string('lang')), 'lang is no tag')
    }),
    requirement('names a logo that is published as JPEG or PNG', shall, async (t) => {
      const answer = await t.http.send({ method: 'GET', url: t.info.string('logo') })
      succeeded(answer)
      demand(/^image\/(png|jpeg)/.test(answer.contentType), `it is ${answer.contentType}`)
    }),
    requirement('names only ways of authorization that exist', shall, ({ info: answer }) => {
      const unknown = answer.strings('authType').filter((each) => !AUTH_TYPES.includes(each))
      same(unknown, [], 'unknown authType')
    }),
    requirement('names at least one way of authorization', shall, ({ info: answer }) => {
      demand(answer.strings('authType').length > 0, 'authType is empty')
    }),
    requirement(
      'names exactly one place of OAuth when it uses OAuth',
      shall,
      ({ info: answer }) => {
        const places = ['oauth2', 'oauth2Issuer', 'oauth2Servers'].filter((name) =>
          answer.has(name),
        )
        if (usesOAuth(answer)) same(places.length, 1, `places (${places.join(', ')})`)
      },
    ),
    requirement('names OAuth by an absolute address', shall, (t) => {
      const place = t.info.get('oauth2') ?? t.info.get('oauth2Issuer')
      if (typeof place !== 'string') return t.notApplicable('neither oauth2 nor oauth2Issuer')
      demand(URL.canParse(place), `${place} is no URL`)
    }),
    requirement('names only methods that exist', should, ({ info: answer }) => {
      same(
        answer.strings('methods').filter((each) => !V2_METHODS.includes(each)),
        [],
        'unknown',
      )
    }),
    requirement('names no method twice', shall, ({ info: answer }) => {
      const methods = answer.strings('methods')
      same(methods.length, new Set(methods).size, 'number of different methods')
    }),
    requirement('names authorizeCheck only beside authorize', should, (t) => {
      if (t.claims('credentials/authorizeCheck'))
        demand(t.claims('credentials/authorize'), 'absent')
    }),
    requirement('names a method that signs', should, (t) => {
      demand(t.claims('signatures/signHash') || t.claims('signatures/signDoc'), 'it names none')
    }),
    ...['asynchronousOperationMode', 'validationInfo', 'supportsRar', 'oauth2FAPIsupport'].map(
      (name) => requirement(`has ${name} as a boolean if at all`, shall, optional(name, 'boolean')),
    ),
    requirement('lists OIDs in signAlgorithms.algos', shall, ({ info: answer }) => {
      const algos = stringsOf(answer.object('signAlgorithms'), 'algos')
      same(
        algos.filter((each) => !isOid(each)),
        [],
        'no OIDs',
      )
      demand(algos.length > 0, 'algos is empty')
    }),
    requirement('lists Base64 or nothing in signAlgorithms.algoParams', shall, (t) => {
      const params = objectOf(t.info.json ?? {}, 'signAlgorithms')['algoParams']
      if (params === undefined) t.notApplicable('no algoParams')
      demand(Array.isArray(params), 'algoParams is no array')
      same(
        params.filter((each) => each && !isBase64(String(each))),
        [],
        'not Base64',
      )
    }),
    requirement('has as many algoParams as algos, or none', should, ({ info: answer }) => {
      const { algos, algoParams } = answer.object('signAlgorithms') as Record<string, unknown[]>
      if (algoParams?.length) same(algoParams.length, algos?.length, 'number of algoParams')
    }),
    requirement('does not list signature algorithms with weak hashes', should, (t) => {
      const weak = ['1.2.840.113549.1.1.5', '1.2.840.113549.1.1.4', '1.2.840.10045.4.1']
      const algos = stringsOf(t.info.object('signAlgorithms'), 'algos')
      same(
        algos.filter((each) => weak.includes(each)),
        [],
        'weak algorithms',
      )
    }),
    requirement('lists only the formats C, X, P and J', shall, ({ info: answer }) => {
      const formats = stringsOf(answer.object('signature_formats'), 'formats')
      same(
        formats.filter((each) => !(each in ENVELOPES)),
        [],
        'unknown formats',
      )
    }),
    requirement('has envelope_properties for each format', shall, envelopeProperties),
    requirement('says in allowMix whether formats may be mixed, if at all', should, (t) => {
      const { allowMix } = t.info.object('signature_formats')
      if (allowMix === undefined) t.notApplicable('no allowMix')
      same(typeof allowMix, 'boolean', 'type of allowMix')
    }),
    requirement('lists only conformance levels that exist', shall, ({ info: answer }) => {
      const levels = answer.strings('conformance_levels')
      same(
        levels.filter((each) => !LEVEL_NAMES.test(each)),
        [],
        'unknown levels',
      )
    }),
    requirement('has a format and a level when it claims signDoc', shall, (t) => {
      t.needs('signatures/signDoc')
      demand(stringsOf(t.info.object('signature_formats'), 'formats').length > 0, 'no format')
    }),
    requirement('claims signPolling exactly when it works asynchronously', should, (t) => {
      same(
        t.claims('signatures/signPolling'),
        t.info.get('asynchronousOperationMode') === true,
        'it',
      )
    }),
    requirement('has supportedHashTypes from v2.1 on', { clause: 'CSC v2.1.0.1 §11.1' }, (t) => {
      if (t.info.string('specs').startsWith('2.0')) t.notApplicable('an earlier edition')
      const types = t.info.strings('supportedHashTypes')
      same(
        types.filter((each) => !/^(sodr|sdr|dtbsr)$/i.test(each)),
        [],
        'unknown types',
      )
    }),
    requirement('has no supportsRar beside oauth2Servers', since22, ({ info: answer }) => {
      demand(!(answer.has('supportsRar') && answer.has('oauth2Servers')), 'it has both')
    }),
    requirement('describes each of oauth2Servers', since22, oauth2Servers),
    requirement('lists MIME types in documentTypes', since22, (t) => {
      if (!t.info.has('documentTypes')) t.notApplicable('no documentTypes')
      same(
        t.info.strings('documentTypes').filter((each) => !each.includes('/')),
        [],
        'no types',
      )
    }),
    requirement('has no member that is null', should, ({ info: answer }) => {
      const nulls = Object.entries(answer.json ?? {}).filter(([, value]) => value === null)
      same(
        nulls.map(([name]) => name),
        [],
        'members that are null',
      )
    }),
    requirement('answers in its own language when asked for one it has not', shall, async (t) => {
      succeeded(await t.call('info', { lang: 'tlh' })).string('lang')
    }),
    requirement('ignores members it does not know', should, async (t) => {
      succeeded(await t.call('info', { unknownMember: true }))
    }),
    requirement('takes null for an absent lang', should, async (t) => {
      succeeded(await t.call('info', { lang: null }))
    }),
    requirement('says the same again', should, async (t) => {
      same((await t.call('info', {})).json, t.info.json, 'the second answer')
    }),
  ],
}

function usesOAuth(answer: Answer): boolean {
  return answer.strings('authType').some((each) => each.startsWith('oauth2'))
}

function optional(name: string, type: string): Trial {
  return (t: Subject) => {
    if (!t.info.has(name)) t.notApplicable(`no ${name}`)
    same(typeof t.info.get(name), type, `type of ${name}`)
  }
}

function envelopeProperties({ info: answer }: Subject): void {
  const { formats = [], envelope_properties: properties } = answer.object('signature_formats') as {
    formats?: string[]
    envelope_properties?: unknown
  }
  if (properties === undefined && formats.length === 0) return
  demand(Array.isArray(properties), 'envelope_properties is no array')
  same(properties.length, formats.length, 'number of envelope_properties')
  formats.forEach((format, index) => {
    const listed: unknown = properties[index]
    demand(Array.isArray(listed), `the entry for ${format} is no array`)
    same(
      listed.filter((each) => !ENVELOPES[format]?.includes(String(each))),
      [],
      'unknown',
    )
  })
}

function oauth2Servers(t: Subject): void {
  if (!t.info.has('oauth2Servers')) t.notApplicable('no oauth2Servers')
  for (const server of t.info.objects('oauth2Servers')) {
    const places = ['baseUri', 'issuerIdentifier'].filter((name) => name in server)
    same(places.length, 1, 'places of one server')
    const types = stringsOf(server, 'authType')
    same(
      types.filter((each) => !each.startsWith('oauth2')),
      [],
      'authType without OAuth',
    )
  }
}
