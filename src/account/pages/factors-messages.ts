import type { ComponentChild } from 'preact'
import type { Language } from '../../pages/language.js'

type Child = ComponentChild
type Phrase = Child[]

const en = {
  title: 'Second factor',
  authenticator: 'Authenticator app',
  enrolled: 'Set up',
  notEnrolled: 'Not set up',
  recoveryCodes: 'Recovery codes',
  left: (count: number) => (count === 1 ? '1 left' : `${count} left`),
  fewLeft: 'Few recovery codes are left. Please make new ones soon.',
  change: 'Change',
  enrol: {
    title: 'Set up an authenticator app',
    means:
      'Your signing service gave you an enrolment code when it identified you. It works once, and only for a while.',
    label: 'Enrolment code',
    hint: '16 letters and digits',
    go: 'Continue',
    lost: 'I can no longer use my authenticator app',
    lostMeans:
      'With a recovery code you can sign in and set up a new one under “Change”. Without one, your signing service can give you an enrolment code after it has identified you again.',
  },
  changing: {
    title: 'Change your second factor',
    first: 'Set up an authenticator app',
    firstMeans: 'You get a new secret for your authenticator app.',
    firstGo: 'Show a new secret',
    replace: 'Replace the authenticator app',
    replaceMeans:
      'You get a new secret and new recovery codes. The present ones work until you confirm the new secret. Approvals that are not used yet end then.',
    replaceGo: 'Show a new secret',
    codes: 'New recovery codes',
    codesMeans: 'The present ones end at once.',
    codesGo: 'Make new recovery codes',
    remove: 'Remove the authenticator app',
    removeMeans:
      'Your recovery codes and approvals that are not used yet end at once. Certificates that are approved with the app cannot be used until you set it up again, which takes an enrolment code from your signing service.',
    removeGo: 'Remove',
    needed: 'Signing in to your account takes the app, so it can be replaced but not removed.',
    needsCode: (back: Child): Phrase => [
      'To set up an authenticator app, you need an enrolment code from your signing service. ',
      back,
    ],
    back: 'Enter it here.',
  },
  pending: {
    title: 'Set up your authenticator app',
    scan: 'Scan this with your authenticator app:',
    qrCode: 'QR code with the secret; it is written as text below',
    type: 'Or type in this secret (time-based, 6 digits):',
    confirm: 'Then enter the code that the app shows:',
    until: (time: Child): Phrase => ['This secret can be confirmed until ', time, '.'],
    go: 'Confirm',
  },
  codes: {
    title: 'Your recovery codes',
    after: {
      enrolled: 'Your authenticator app is set up.',
      renewed: 'Your earlier recovery codes no longer work.',
    },
    means:
      'Please write these codes down or print them now, and keep them in a safe place: they are not shown again. If you lose your authenticator app, each of them lets you sign in once. They approve no signatures.',
    kept: 'I have kept them',
  },
  problems: {
    'no-proof':
      'That takes a second factor, or an enrolment code from your signing service. Please sign out and sign in again with your second factor, or ask your signing service for a code.',
    'wrong-enrolment-code':
      'The enrolment code is not correct, was used already or has expired. Please check it, or ask your signing service for a new one.',
    'too-many-attempts': 'There were too many attempts. Please wait a few minutes, then try again.',
    'wrong-code':
      'The code is not correct. Please check that the clock of your device is right, and enter the code that the app shows now.',
    expired:
      'The secret was not confirmed in time, or another one was shown since. Please start again.',
    'not-removed':
      'The authenticator app was not removed: it is already gone, or your account needs it. What holds now is shown below.',
  },
}

export type FactorMessages = typeof en

const de: FactorMessages = {
  title: 'Zweiter Faktor',
  authenticator: 'Authenticator-App',
  enrolled: 'Eingerichtet',
  notEnrolled: 'Nicht eingerichtet',
  recoveryCodes: 'Wiederherstellungscodes',
  left: (count) => (count === 1 ? 'Noch 1' : `Noch ${count}`),
  fewLeft: 'Es sind nur noch wenige Wiederherstellungscodes übrig. Bitte erstellen Sie bald neue.',
  change: 'Ändern',
  enrol: {
    title: 'Authenticator-App einrichten',
    means:
      'Ihr Signaturdienst hat Ihnen einen Einrichtungscode gegeben, als er Sie identifiziert hat. Er gilt einmal und nur für begrenzte Zeit.',
    label: 'Einrichtungscode',
    hint: '16 Buchstaben und Ziffern',
    go: 'Weiter',
    lost: 'Ich kann meine Authenticator-App nicht mehr verwenden',
    lostMeans:
      'Mit einem Wiederherstellungscode können Sie sich anmelden und unter „Ändern“ eine neue App einrichten. Haben Sie keinen, kann Ihnen Ihr Signaturdienst einen Einrichtungscode geben, nachdem er Sie erneut identifiziert hat.',
  },
  changing: {
    title: 'Zweiten Faktor ändern',
    first: 'Authenticator-App einrichten',
    firstMeans: 'Sie erhalten ein neues Geheimnis für Ihre Authenticator-App.',
    firstGo: 'Neues Geheimnis anzeigen',
    replace: 'Authenticator-App ersetzen',
    replaceMeans:
      'Sie erhalten ein neues Geheimnis und neue Wiederherstellungscodes. Die bisherigen gelten, bis Sie das neue Geheimnis bestätigen. Freigaben, die noch nicht verwendet sind, enden dann.',
    replaceGo: 'Neues Geheimnis anzeigen',
    codes: 'Neue Wiederherstellungscodes',
    codesMeans: 'Die bisherigen enden sofort.',
    codesGo: 'Neue Codes erstellen',
    remove: 'Authenticator-App entfernen',
    removeMeans:
      'Ihre Wiederherstellungscodes und Freigaben, die noch nicht verwendet sind, enden sofort. Zertifikate, die mit der App freigegeben werden, sind erst wieder verwendbar, wenn Sie sie neu einrichten; dazu brauchen Sie einen Einrichtungscode Ihres Signaturdienstes.',
    removeGo: 'Entfernen',
    needed:
      'Zur Anmeldung bei Ihrem Konto ist die App nötig; sie kann ersetzt, aber nicht entfernt werden.',
    needsCode: (back) => [
      'Um eine Authenticator-App einzurichten, brauchen Sie einen Einrichtungscode Ihres Signaturdienstes. ',
      back,
    ],
    back: 'Geben Sie ihn hier ein.',
  },
  pending: {
    title: 'Authenticator-App einrichten',
    scan: 'Lesen Sie dies mit Ihrer Authenticator-App ein:',
    qrCode: 'QR-Code mit dem Geheimnis; es steht darunter als Text',
    type: 'Oder tippen Sie dieses Geheimnis ein (zeitbasiert, 6 Ziffern):',
    confirm: 'Geben Sie dann den Code ein, den die App anzeigt:',
    until: (time) => ['Dieses Geheimnis kann bestätigt werden bis zum ', time, '.'],
    go: 'Bestätigen',
  },
  codes: {
    title: 'Ihre Wiederherstellungscodes',
    after: {
      enrolled: 'Ihre Authenticator-App ist eingerichtet.',
      renewed: 'Ihre bisherigen Wiederherstellungscodes gelten nicht mehr.',
    },
    means:
      'Bitte schreiben Sie diese Codes jetzt auf oder drucken Sie sie aus und verwahren Sie sie sicher: Sie werden nicht noch einmal angezeigt. Verlieren Sie Ihre Authenticator-App, können Sie sich mit jedem von ihnen einmal anmelden. Signaturen geben sie nicht frei.',
    kept: 'Ich habe sie verwahrt',
  },
  problems: {
    'no-proof':
      'Dazu braucht es einen zweiten Faktor oder einen Einrichtungscode Ihres Signaturdienstes. Bitte melden Sie sich ab und mit Ihrem zweiten Faktor wieder an, oder bitten Sie Ihren Signaturdienst um einen Code.',
    'wrong-enrolment-code':
      'Der Einrichtungscode ist nicht richtig, bereits verwendet oder abgelaufen. Bitte prüfen Sie ihn oder bitten Sie Ihren Signaturdienst um einen neuen.',
    'too-many-attempts':
      'Es gab zu viele Versuche. Bitte warten Sie einige Minuten und versuchen Sie es dann erneut.',
    'wrong-code':
      'Der Code ist nicht richtig. Bitte prüfen Sie, ob die Uhr Ihres Geräts richtig geht, und geben Sie den Code ein, den die App jetzt anzeigt.',
    expired:
      'Das Geheimnis wurde nicht rechtzeitig bestätigt, oder es wurde inzwischen ein anderes angezeigt. Bitte beginnen Sie von vorn.',
    'not-removed':
      'Die Authenticator-App wurde nicht entfernt: Sie ist schon fort, oder Ihr Konto braucht sie. Was jetzt gilt, steht unten.',
  },
}

export const FACTOR_MESSAGES: Record<Language, FactorMessages> = { en, de }
