/** @import {words as english} from '../en/notes.js' */
import { isolated as i } from '../isolate.js';

/** @type {typeof english} */
export const words = {
  notes: 'الملاحظات',
  disposition: 'نتيجة المكالمة',
  dispositionRequired: 'نتيجة المكالمة (مطلوبة)',
  dispositionNeeded: 'اختر نتيجة المكالمة أولًا.',
  noDisposition: 'لا شيء',
  about: 'متعلقة بـ',
  aboutLast: 'آخر سجل مفتوح',
  nextStep: 'الخطوة التالية',
  stepSubject: 'ماذا',
  stepDay: 'متى',
  savesIn: (time) => `يُحفظ بعد ${i(time)}`,
  keptOpen: 'يُحفظ عندما تنتهي',
  keepOpen: 'متابعة التحرير',
  notYet: 'لم يُحفظ بعد. ستُعاد المحاولة.',
};
