/** The words and places of the setup page, by the names that checks give. */

import stateOk from '@salesforce/label/c.Ringbridge_State_Ok';
import stateMissing from '@salesforce/label/c.Ringbridge_State_Missing';
import stateWarning from '@salesforce/label/c.Ringbridge_State_Warning';
import stateUnknown from '@salesforce/label/c.Ringbridge_State_Unknown';
import codeCount from '@salesforce/label/c.Ringbridge_Code_Count';
import codeNotSet from '@salesforce/label/c.Ringbridge_Code_Not_Set';
import codeAbsent from '@salesforce/label/c.Ringbridge_Code_Absent';
import codeLacks from '@salesforce/label/c.Ringbridge_Code_Lacks';
import codeNobody from '@salesforce/label/c.Ringbridge_Code_Nobody';
import codeDiffers from '@salesforce/label/c.Ringbridge_Code_Differs';
import codeWithout from '@salesforce/label/c.Ringbridge_Code_Without';
import codeInactive from '@salesforce/label/c.Ringbridge_Code_Inactive';
import codeError from '@salesforce/label/c.Ringbridge_Code_Error';
import codeUnreachable from '@salesforce/label/c.Ringbridge_Code_Unreachable';
import codeRefused from '@salesforce/label/c.Ringbridge_Code_Refused';
import codeUnread from '@salesforce/label/c.Ringbridge_Code_Unread';
import codeOtherOrg from '@salesforce/label/c.Ringbridge_Code_Other_Org';
import codeSkipped from '@salesforce/label/c.Ringbridge_Code_Skipped';
import checkGatewayUrl from '@salesforce/label/c.Ringbridge_Check_Gateway_Url';
import fixGatewayUrl from '@salesforce/label/c.Ringbridge_Fix_Gateway_Url';
import checkGateway from '@salesforce/label/c.Ringbridge_Check_Gateway';
import fixGateway from '@salesforce/label/c.Ringbridge_Fix_Gateway';
import checkTrustedUrl from '@salesforce/label/c.Ringbridge_Check_Trusted_Url';
import fixTrustedUrl from '@salesforce/label/c.Ringbridge_Fix_Trusted_Url';
import checkCallCenter from '@salesforce/label/c.Ringbridge_Check_Call_Center';
import fixCallCenter from '@salesforce/label/c.Ringbridge_Fix_Call_Center';
import checkCallCenterUsers from '@salesforce/label/c.Ringbridge_Check_Call_Center_Users';
import fixCallCenterUsers from '@salesforce/label/c.Ringbridge_Fix_Call_Center_Users';
import checkPermissionSet from '@salesforce/label/c.Ringbridge_Check_Permission_Set';
import fixPermissionSet from '@salesforce/label/c.Ringbridge_Fix_Permission_Set';
import checkKeyField from '@salesforce/label/c.Ringbridge_Check_Key_Field';
import fixKeyField from '@salesforce/label/c.Ringbridge_Fix_Key_Field';
import checkIdentity from '@salesforce/label/c.Ringbridge_Check_Identity';
import fixIdentity from '@salesforce/label/c.Ringbridge_Fix_Identity';
import checkSignInApp from '@salesforce/label/c.Ringbridge_Check_Sign_In_App';
import fixSignInApp from '@salesforce/label/c.Ringbridge_Fix_Sign_In_App';

/** How a line stands: its words, its icon, and whether something is to be done. */
export const STATES = {
    ok: { text: stateOk, icon: 'utility:success', variant: 'success', isOpen: false },
    missing: { text: stateMissing, icon: 'utility:error', variant: 'error', isOpen: true },
    warning: { text: stateWarning, icon: 'utility:warning', variant: 'warning', isOpen: true },
    unknown: { text: stateUnknown, icon: 'utility:info', variant: '', isOpen: true }
};

/** What was found; {0} is the place of the detail. */
export const FOUND = {
    ok: '{0}',
    count: codeCount,
    notSet: codeNotSet,
    absent: codeAbsent,
    lacks: codeLacks,
    nobody: codeNobody,
    differs: codeDiffers,
    without: codeWithout,
    inactive: codeInactive,
    error: codeError,
    unreachable: codeUnreachable,
    refused: codeRefused,
    unread: codeUnread,
    otherOrg: codeOtherOrg,
    skipped: codeSkipped
};

/** In the order in which they are put right. `place`: below /lightning/setup/. */
export const CHECKS = {
    gatewayUrl: {
        title: checkGatewayUrl,
        fix: fixGatewayUrl,
        place: 'CustomMetadata/home'
    },
    gateway: {
        title: checkGateway,
        fix: fixGateway,
        place: 'SecurityCspTrustedSite/home'
    },
    trustedUrl: {
        title: checkTrustedUrl,
        fix: fixTrustedUrl,
        place: 'SecurityCspTrustedSite/home'
    },
    callCenter: {
        title: checkCallCenter,
        fix: fixCallCenter,
        place: 'CallCenters/home'
    },
    callCenterUsers: {
        title: checkCallCenterUsers,
        fix: fixCallCenterUsers,
        place: 'CallCenters/home'
    },
    permissionSet: {
        title: checkPermissionSet,
        fix: fixPermissionSet,
        place: 'PermSets/home'
    },
    keyField: {
        title: checkKeyField,
        fix: fixKeyField,
        place: 'ObjectManager/Activity/FieldsAndRelationships/view'
    },
    identity: {
        title: checkIdentity,
        fix: fixIdentity,
        place: 'CertificatesAndKeyManagement/home'
    },
    signInApp: {
        title: checkSignInApp,
        fix: fixSignInApp,
        place: 'ManageExternalClientApplication/home'
    }
};
