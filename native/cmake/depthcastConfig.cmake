# find_package(depthcast CONFIG) with CMAKE_PREFIX_PATH=node_modules/depthcast/native:
#   depthcast::publisher    header-only C++20: #include <depthcast/publisher.h>
#   depthcast::publisher_c  the same for C: #include <depthcast/publisher_c.h>; needs CXX among the project's languages
get_filename_component(_depthcast_native "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

if(NOT TARGET depthcast::publisher)
  add_library(depthcast::publisher INTERFACE IMPORTED)
  set_target_properties(depthcast::publisher PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_depthcast_native}/include"
    INTERFACE_COMPILE_FEATURES cxx_std_20)
endif()

get_property(_depthcast_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if(NOT TARGET depthcast_publisher_c AND "CXX" IN_LIST _depthcast_languages)
  add_library(depthcast_publisher_c STATIC EXCLUDE_FROM_ALL "${_depthcast_native}/publisher_c/publisher_c.cc")
  target_compile_features(depthcast_publisher_c PRIVATE cxx_std_20)
  target_include_directories(depthcast_publisher_c SYSTEM INTERFACE "${_depthcast_native}/include")
  add_library(depthcast::publisher_c ALIAS depthcast_publisher_c)
endif()
unset(_depthcast_native)
unset(_depthcast_languages)
