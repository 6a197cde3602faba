"""Which calls each scope of WSO2 IoT Server 3.2.0 opens, read off the server's interfaces; plain data.

Scopes stand without their prefix `perm:`, calls without the prefix of their API: `/api/device-mgt/v1.0`,
`/api/device-mgt` before `/android` (with the version behind it), `/api/certificate-mgt/v1.0/admin` before
`/certificates`.
"""

from __future__ import annotations

OPENS = """
admin-groups:count:: GET /admin/groups/count
admin-groups:view:: GET /admin/groups
admin-users:view:: POST /admin/users/{name}/credentials
admin:certificates:add:: POST /certificates
admin:certificates:delete:: DELETE /certificates/{id}
admin:certificates:details:: GET /certificates/{id}
admin:certificates:verify:: POST /certificates/verify/{type}
admin:certificates:view:: GET /certificates
admin:device-type:: GET /admin/device-types, POST /admin/device-types, PUT /admin/device-types
admin:devices:view:: GET /admin/devices
android:applications:: POST /android/admin/devices/applications
android:blacklist-applications:: POST /android/admin/devices/blacklist-applications
android:change-lock-code:: POST /android/admin/devices/change-lock-code
android:clear-password:: POST /android/admin/devices/clear-password
android:configure-vpn:: POST /android/admin/devices/configure-vpn
android:configure-wifi:: POST /android/admin/devices/configure-wifi
android:control-camera:: POST /android/admin/devices/control-camera
android:disenroll:: DELETE /android/devices/{id}
android:encrypt-storage:: POST /android/admin/devices/encrypt-storage
android:enroll:: PUT /android/devices/{id}/applications, PUT /android/devices/{id}/pending-operations,
  POST /android/devices, GET /android/devices/{id}/status, PUT /android/devices/{id},
  GET /android/configuration/license, POST /android/events/publish, GET /android/events
android:enterprise-wipe:: POST /android/admin/devices/enterprise-wipe
android:file-transfer:: POST /android/admin/devices/file-transfer
android:info:: POST /android/admin/devices/info
android:install-application:: POST /android/admin/devices/install-application
android:location:: POST /android/admin/devices/location
android:lock-devices:: POST /android/admin/devices/lock-devices
android:logcat:: POST /android/admin/devices/logcat
android:manage-configuration:: PUT /android/configuration
android:mute:: POST /android/admin/devices/mute
android:reboot:: POST /android/admin/devices/reboot
android:ring:: POST /android/admin/devices/ring
android:send-notification:: POST /android/admin/devices/send-notification
android:set-password-policy:: POST /android/admin/devices/set-password-policy
android:set-webclip:: POST /android/admin/devices/set-webclip
android:uninstall-application:: POST /android/admin/devices/uninstall-application
android:unlock-devices:: POST /android/admin/devices/unlock-devices
android:update-application:: POST /android/admin/devices/update-application
android:upgrade-firmware:: POST /android/admin/devices/upgrade-firmware
android:view-configuration:: GET /android/configuration
android:wipe:: POST /android/admin/devices/wipe
applications:install:: POST /admin/applications/install-application
applications:uninstall:: POST /admin/applications/uninstall-application
authorization:verify:: POST /admin/authorization, POST /admin/authorization/stat
device-types:events:: POST /events/{type}, DELETE /events/{type}
device-types:events:view:: GET /events/{type}/{id}, GET /events/last-known/{type}/{id}, GET /events/{type}
device-types:features:: GET /device-types/{type}/features
device-types:types:: GET /device-types, GET /device-types/all/{type}, GET /device-types/all,
  GET /device-types/config, GET /device-types/config/{type}
device:disenroll:: DELETE /device/agent/enroll/{type}/{id}
device:enroll:: POST /device/agent/enroll
device:modify:: PUT /device/agent/enroll/{type}/{id}, PUT /device/agent/properties/{type}/{id}
device:operations:: GET /device/agent/pending/operations/{type}/{id},
  GET /device/agent/next-pending/operation/{type}/{id}, PUT /device/agent/operations/{type}/{id},
  GET /device/agent/status/operations/{type}/{id}
device:publish-event:: POST /device/agent/events/publish/{type}/{id},
  POST /device/agent/events/publish/data/{type}/{id}
devices:applications:: GET /devices/{type}/{id}/applications
devices:change-status:: PUT /devices/{type}/{id}/changestatus
devices:compliance-data:: GET /devices/{type}/{id}/compliance-data
devices:delete:: DELETE /devices/type/{type}/id/{id}
devices:details:: GET /devices/{type}/{id}, GET /devices/{type}/{id}/location, GET /devices/{type}/{id}/info
devices:effective-policy:: GET /devices/{type}/{id}/effective-policy
devices:features:: GET /devices/{type}/{id}/features
devices:operations:: GET /devices/{type}/{id}/operations, POST /devices/{type}/operations
devices:search:: POST /devices/search-devices
devices:update:: POST /devices/type/{type}/id/{id}/rename
devices:view:: GET /devices, GET /devices/user-devices
devicetype:deployment:: POST /admin/publish-artifact/deploy/{type}
geo-service:alerts-manage:: POST /geo-services/alerts/{type}/{type}/{id},
  PUT /geo-services/alerts/{type}/{type}/{id}, GET /geo-services/alerts/{type}/{type}/{id},
  GET /geo-services/alerts/history/{type}/{id}, DELETE /geo-services/alerts/{type}/{type}/{id}
geo-service:analytics-view:: GET /geo-services/stats/{type}/{id}, GET /geo-services/stats/device-locations
get-activity:: GET /activities/{id}, GET /activities/ids, GET /activities/{id}/{type}/{id},
  GET /activities/type/{name}, GET /activities
groups:add:: POST /groups
groups:assign:: POST /groups/device/assign
groups:count:: GET /groups/count
groups:device:: GET /groups/device
groups:devices:: GET /groups/id/{id}/devices
groups:devices-add:: POST /groups/id/{id}/devices/add
groups:devices-count:: GET /groups/id/{id}/devices/count
groups:devices-remove:: POST /groups/id/{id}/devices/remove
groups:groups:: GET /groups
groups:groups-view:: GET /groups/id/{id}
groups:remove:: DELETE /groups/id/{id}
groups:roles:: GET /groups/id/{id}/roles
groups:share:: POST /groups/id/{id}/share
groups:update:: PUT /groups/id/{id}
manage-configuration:: PUT /configuration
notifications:mark-checked:: PUT /notifications/{id}/mark-checked, PUT /notifications/clear-all
notifications:view:: GET /notifications
policies:activate:: POST /policies/activate-policy
policies:changes:: PUT /policies/apply-changes
policies:deactivate:: POST /policies/deactivate-policy
policies:effective-policy:: GET /policies/effective-policy/{type}/{id}
policies:get-details:: GET /policies
policies:get-policy-details:: GET /policies/{id}
policies:manage:: POST /policies
policies:priorities:: PUT /policies/priorities
policies:remove:: POST /policies/remove-policy
policies:update:: PUT /policies/{id}
remote-session-service:connect:: GET /remote-session-services/connection/{type}/{id}
roles:add:: POST /roles
roles:add-users:: PUT /roles/{name}/users
roles:create-combined-role:: POST /roles/create-combined-role/{name}
roles:delete:: DELETE /roles/{name}
roles:details:: GET /roles/{name}
roles:permissions:: GET /roles/{name}/permissions
roles:update:: PUT /roles/{name}
roles:view:: GET /roles, GET /roles/filter/{name}
users:add:: POST /users
users:count:: GET /users/count
users:credentials:: PUT /users/credentials
users:delete:: DELETE /users/{name}
users:details:: GET /users/{name}
users:is-exist:: GET /users/checkUser
users:roles:: GET /users/{name}/roles
users:search:: GET /users/search/usernames
users:send-invitation:: POST /users/send-invitation, POST /users/enrollment-invite
users:update:: PUT /users/{name}
users:user-details:: GET /users
view-configuration:: GET /configuration
"""
"""One scope a line, then the calls that it opens; a line that begins with a blank goes on."""

SILENT = """
admin admin:topics:view dashboard:by-groups dashboard:count-overview dashboard:details
dashboard:device-counts dashboard:feature-non-compliant dashboard:filtered-count dashboard:non-compliant
dashboard:non-compliant-count dashboard:vulnerabilities ios:airplay ios:apn ios:app-list ios:app-lock
ios:app-to-per-app-vpn ios:applications ios:cal-subscription ios:caldav ios:cellular ios:clear-passcode
ios:device-info ios:email ios:enroll ios:enterprise-app ios:enterprise-wipe ios:get-restrictions ios:ldap
ios:location ios:lock ios:notification ios:passcode-policy ios:per-app-vpn ios:profile-list
ios:remove-application ios:remove-profile ios:restriction ios:ring ios:store-application ios:view-device
ios:vpn ios:webclip ios:wifi ios:wipe-data sign-csr
"""
"""Scopes that the vendor's tutorial asks for, and that open nothing which is documented for 3.2.0."""

TUTORIAL_FIRST = """
sign-csr admin:devices:view admin:topics:view roles:add roles:add-users roles:update roles:permissions
roles:details roles:view roles:create-combined-role roles:delete dashboard:vulnerabilities
dashboard:non-compliant-count dashboard:non-compliant dashboard:by-groups dashboard:device-counts
dashboard:feature-non-compliant dashboard:count-overview dashboard:filtered-count dashboard:details
get-activity devices:delete devices:applications devices:effective-policy devices:compliance-data
devices:features devices:operations devices:search devices:details devices:update devices:view
view-configuration manage-configuration policies:remove policies:priorities policies:deactivate
policies:get-policy-details policies:manage policies:activate policies:update policies:changes
policies:get-details users:add users:details users:count users:delete users:roles users:user-details
users:credentials users:search users:is-exist users:update users:send-invitation admin-users:view
groups:devices groups:update groups:add groups:device groups:devices-count groups:remove groups:groups
groups:groups-view groups:share groups:count groups:roles groups:devices-remove groups:devices-add
groups:assign device-types:features device-types:types applications:install applications:uninstall
admin-groups:count admin-groups:view notifications:mark-checked notifications:view
admin:certificates:delete admin:certificates:details admin:certificates:view admin:certificates:add
admin:certificates:verify admin devicetype:deployment device-types:events device-types:events:view
admin:device-type device:enroll geo-service:analytics-view geo-service:alerts-manage
"""
"""The scopes that the tutorial asks for in the beginning, in its order ..."""

TUTORIAL_ONCE = """
admin:topics:view dashboard:vulnerabilities dashboard:non-compliant-count dashboard:non-compliant
dashboard:by-groups dashboard:device-counts dashboard:feature-non-compliant dashboard:count-overview
dashboard:filtered-count dashboard:details admin devicetype:deployment device-types:events
device-types:events:view admin:device-type device:enroll geo-service:analytics-view
geo-service:alerts-manage
"""
"""... which it then asks for a second time, except these ..."""

TUTORIAL_LAST = """
ios:enroll ios:view-device ios:apn ios:ldap ios:enterprise-app ios:store-application
ios:remove-application ios:app-list ios:profile-list ios:lock ios:enterprise-wipe ios:device-info
ios:restriction ios:email ios:cellular ios:applications ios:wifi ios:ring ios:location ios:notification
ios:airplay ios:caldav ios:cal-subscription ios:passcode-policy ios:webclip ios:vpn ios:per-app-vpn
ios:app-to-per-app-vpn ios:app-lock ios:clear-passcode ios:remove-profile ios:get-restrictions
ios:wipe-data admin android:enroll android:wipe android:ring android:lock-devices android:configure-vpn
android:configure-wifi android:enroll android:uninstall-application android:manage-configuration
android:location android:install-application android:mute android:change-lock-code
android:blacklist-applications android:set-password-policy android:encrypt-storage android:clear-password
android:enterprise-wipe android:info android:view-configuration android:upgrade-firmware
android:set-webclip android:send-notification android:disenroll android:update-application
android:unlock-devices android:control-camera android:reboot android:logcat device:enroll
device:disenroll device:modify device:operations device:publish-event
"""
"""... and what comes then."""
