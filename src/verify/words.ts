import type { ReportLanguage } from '../verification/messages.js'
import type { Report } from '../verification/report.js'

type Indication = NonNullable<Report['indication']>
type Change = NonNullable<Report['signatures'][number]['coverage']>['changes'][number]['kind']

/** What pages and printed reports say around the findings. */
export interface ReportWords {
  readonly locale: string
  readonly title: string
  readonly intro: string
  readonly document: string
  readonly content: string
  readonly contentHint: string
  readonly language: string
  readonly verify: string
  readonly again: string
  readonly problems: Readonly<Record<'no-file' | 'too-large' | 'malformed' | 'busy', string>>
  readonly verdicts: Readonly<Record<Indication | 'nothing', string>>
  readonly signature: (id: string) => string
  readonly timestamp: string
  readonly certificates: string
  readonly severities: Readonly<Record<'error' | 'warning' | 'information', string>>
  readonly labels: Readonly<
    Record<
      | 'file'
      | 'format'
      | 'digest'
      | 'checked'
      | 'verdict'
      | 'signer'
      | 'issuer'
      | 'place'
      | 'claimed'
      | 'proven'
      | 'algorithm'
      | 'level'
      | 'coverage'
      | 'changes'
      | 'time'
      | 'authority'
      | 'validity'
      | 'revocation',
      string
    >
  >
  readonly none: string
  readonly wholeDocument: string
  readonly notWholeDocument: string
  readonly revocation: Readonly<Record<'good' | 'revoked' | 'unknown' | 'not-needed', string>>
  readonly changes: Readonly<Record<Change, string>>
}

const en: ReportWords = {
  locale: 'en-GB',
  title: 'Check signatures',
  intro:
    'Choose a signed document to see who signed it, when, and whether anything was changed since. The document is checked and not kept.',
  document: 'Signed document or signature',
  content: 'Signed content',
  contentHint: 'Only for a signature that is a file of its own',
  language: 'Language of the report',
  verify: 'Check',
  again: 'Check another document',
  problems: {
    'no-file': 'Please choose a document.',
    'too-large': 'The document is too large.',
    malformed: 'The form could not be read. Please try again.',
    busy: 'Too many documents are being checked. Please try again in a moment.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Valid',
    INDETERMINATE: 'Undecided',
    'TOTAL-FAILED': 'Not valid',
    nothing: 'Not signed',
  },
  signature: (id) => `Signature ${id}`,
  timestamp: 'Timestamp',
  certificates: 'Certificates',
  severities: { error: 'Error', warning: 'Warning', information: 'Note' },
  labels: {
    ...{ file: 'File', format: 'Format', digest: 'SHA-256', checked: 'Checked at' },
    ...{ verdict: 'Result', signer: 'Signed by', issuer: 'Issuer', place: 'Place' },
    ...{ claimed: 'Time, as the signer says', proven: 'Proven to exist since' },
    ...{ algorithm: 'Algorithm', level: 'Level', coverage: 'Signed', changes: 'Since then' },
    ...{ time: 'Time', authority: 'Authority', validity: 'Valid', revocation: 'Revocation' },
  },
  none: 'none',
  wholeDocument: 'the whole document',
  notWholeDocument: 'the document as it was then',
  revocation: {
    ...{ good: 'not revoked', revoked: 'revoked', unknown: 'unknown' },
    'not-needed': 'does not need to be asked',
  },
  changes: {
    ...{ 'validation-data': 'proofs added', timestamp: 'timestamp added' },
    ...{ signature: 'signed again', form: 'form filled in', annotation: 'annotated' },
    ...{ metadata: 'metadata changed', other: 'content changed' },
  },
}

const de: ReportWords = {
  locale: 'de-DE',
  title: 'Signaturen prüfen',
  intro:
    'Wählen Sie ein signiertes Dokument, um zu sehen, wer es wann signiert hat und ob es seither geändert wurde. Das Dokument wird geprüft und nicht aufbewahrt.',
  document: 'Signiertes Dokument oder Signatur',
  content: 'Signierter Inhalt',
  contentHint: 'Nur für eine Signatur, die eine eigene Datei ist',
  language: 'Sprache des Berichts',
  verify: 'Prüfen',
  again: 'Ein anderes Dokument prüfen',
  problems: {
    'no-file': 'Bitte wählen Sie ein Dokument.',
    'too-large': 'Das Dokument ist zu groß.',
    malformed: 'Das Formular war nicht lesbar. Bitte versuchen Sie es noch einmal.',
    busy: 'Es werden gerade zu viele Dokumente geprüft. Bitte versuchen Sie es gleich noch einmal.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Gültig',
    INDETERMINATE: 'Nicht entscheidbar',
    'TOTAL-FAILED': 'Ungültig',
    nothing: 'Nicht signiert',
  },
  signature: (id) => `Signatur ${id}`,
  timestamp: 'Zeitstempel',
  certificates: 'Zertifikate',
  severities: { error: 'Fehler', warning: 'Warnung', information: 'Hinweis' },
  labels: {
    ...{ file: 'Datei', format: 'Format', digest: 'SHA-256', checked: 'Geprüft am' },
    ...{ verdict: 'Ergebnis', signer: 'Signiert von', issuer: 'Aussteller', place: 'Ort' },
    ...{ claimed: 'Zeit nach Angabe', proven: 'Nachweislich vorhanden seit' },
    ...{ algorithm: 'Verfahren', level: 'Stufe', coverage: 'Signiert', changes: 'Seither' },
    ...{ time: 'Zeit', authority: 'Stelle', validity: 'Gültig', revocation: 'Widerruf' },
  },
  none: 'keine',
  wholeDocument: 'das ganze Dokument',
  notWholeDocument: 'das Dokument, wie es damals war',
  revocation: {
    ...{ good: 'nicht widerrufen', revoked: 'widerrufen', unknown: 'unbekannt' },
    'not-needed': 'muss nicht erfragt werden',
  },
  changes: {
    ...{ 'validation-data': 'Nachweise ergänzt', timestamp: 'Zeitstempel ergänzt' },
    ...{ signature: 'weiter signiert', form: 'Formular ausgefüllt', annotation: 'kommentiert' },
    ...{ metadata: 'Metadaten geändert', other: 'Inhalt geändert' },
  },
}

const fr: ReportWords = {
  locale: 'fr-FR',
  title: 'Vérifier des signatures',
  intro:
    'Choisissez un document signé pour voir qui l’a signé, quand, et s’il a été modifié depuis. Le document est vérifié et n’est pas conservé.',
  document: 'Document signé ou signature',
  content: 'Contenu signé',
  contentHint: 'Seulement pour une signature qui est un fichier à part',
  language: 'Langue du rapport',
  verify: 'Vérifier',
  again: 'Vérifier un autre document',
  problems: {
    'no-file': 'Veuillez choisir un document.',
    'too-large': 'Le document est trop grand.',
    malformed: 'Le formulaire n’a pas pu être lu. Veuillez réessayer.',
    busy: 'Trop de documents sont en cours de vérification. Veuillez réessayer dans un instant.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Valide',
    INDETERMINATE: 'Indéterminé',
    'TOTAL-FAILED': 'Non valide',
    nothing: 'Non signé',
  },
  signature: (id) => `Signature ${id}`,
  timestamp: 'Horodatage',
  certificates: 'Certificats',
  severities: { error: 'Erreur', warning: 'Avertissement', information: 'Remarque' },
  labels: {
    ...{ file: 'Fichier', format: 'Format', digest: 'SHA-256', checked: 'Vérifié le' },
    ...{ verdict: 'Résultat', signer: 'Signé par', issuer: 'Émetteur', place: 'Emplacement' },
    ...{ claimed: 'Heure selon le signataire', proven: 'Existence prouvée depuis' },
    ...{ algorithm: 'Algorithme', level: 'Niveau', coverage: 'Signé', changes: 'Depuis' },
    ...{ time: 'Heure', authority: 'Autorité', validity: 'Validité', revocation: 'Révocation' },
  },
  none: 'aucun',
  wholeDocument: 'tout le document',
  notWholeDocument: 'le document tel qu’il était alors',
  revocation: {
    ...{ good: 'non révoqué', revoked: 'révoqué', unknown: 'inconnu' },
    'not-needed': 'n’a pas à être demandé',
  },
  changes: {
    ...{ 'validation-data': 'preuves ajoutées', timestamp: 'horodatage ajouté' },
    ...{ signature: 'signé à nouveau', form: 'formulaire rempli', annotation: 'annoté' },
    ...{ metadata: 'métadonnées modifiées', other: 'contenu modifié' },
  },
}

const es: ReportWords = {
  locale: 'es-ES',
  title: 'Comprobar firmas',
  intro:
    'Elija un documento firmado para ver quién lo firmó, cuándo y si ha cambiado desde entonces. El documento se comprueba y no se conserva.',
  document: 'Documento firmado o firma',
  content: 'Contenido firmado',
  contentHint: 'Solo para una firma que es un fichero aparte',
  language: 'Idioma del informe',
  verify: 'Comprobar',
  again: 'Comprobar otro documento',
  problems: {
    'no-file': 'Elija un documento.',
    'too-large': 'El documento es demasiado grande.',
    malformed: 'No se pudo leer el formulario. Inténtelo de nuevo.',
    busy: 'Se están comprobando demasiados documentos. Inténtelo de nuevo en un momento.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Válida',
    INDETERMINATE: 'Indeterminada',
    'TOTAL-FAILED': 'No válida',
    nothing: 'Sin firma',
  },
  signature: (id) => `Firma ${id}`,
  timestamp: 'Sello de tiempo',
  certificates: 'Certificados',
  severities: { error: 'Error', warning: 'Advertencia', information: 'Nota' },
  labels: {
    ...{ file: 'Fichero', format: 'Formato', digest: 'SHA-256', checked: 'Comprobado el' },
    ...{ verdict: 'Resultado', signer: 'Firmado por', issuer: 'Emisor', place: 'Lugar' },
    ...{ claimed: 'Hora según el firmante', proven: 'Existencia probada desde' },
    ...{ algorithm: 'Algoritmo', level: 'Nivel', coverage: 'Firmado', changes: 'Desde entonces' },
    ...{ time: 'Hora', authority: 'Autoridad', validity: 'Validez', revocation: 'Revocación' },
  },
  none: 'ninguno',
  wholeDocument: 'todo el documento',
  notWholeDocument: 'el documento como era entonces',
  revocation: {
    ...{ good: 'no revocado', revoked: 'revocado', unknown: 'desconocido' },
    'not-needed': 'no hay que preguntarlo',
  },
  changes: {
    ...{ 'validation-data': 'pruebas añadidas', timestamp: 'sello añadido' },
    ...{ signature: 'firmado de nuevo', form: 'formulario rellenado', annotation: 'anotado' },
    ...{ metadata: 'metadatos cambiados', other: 'contenido cambiado' },
  },
}

export const REPORT_WORDS: Readonly<Record<ReportLanguage, ReportWords>> = { en, de, fr, es }

export const LANGUAGE_NAMES: Readonly<Record<ReportLanguage, string>> = {
  ...{ en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español' },
}
