const { jestConfig } = require('@salesforce/sfdx-lwc-jest/config');

module.exports = {
    ...jestConfig,
    // Two workers beside other tests are slower than none.
    maxWorkers: 1
};
